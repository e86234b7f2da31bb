% Who is active? A problem is made here, and solved by mmvsolvers through two files; for MATLAB and Octave.
N = 100; L = 20; M = 8; noise_var = 0.1;
randn('state', 0); rand('state', 0);
A = (randn(L, N) + 1i * randn(L, N)) / sqrt(2);
truth = rand(N, 1) < 0.1;
X = truth .* (randn(N, M) + 1i * randn(N, M)) / sqrt(2);
Y = A * X + sqrt(noise_var / 2) * (randn(L, M) + 1i * randn(L, M));

save('problem.mat', 'A', 'Y', 'noise_var', '-v7');
status = system('mmv solve problem.mat --solver ml_cd --threshold 0.25 --overwrite');
assert(status == 0, 'mmv solve did not work');
found = load('problem.ml_cd.mat');

wrong = sum(logical(found.active(:)) ~= truth);
fprintf('%d active devices, %d wrong decisions\n', sum(truth), wrong);
