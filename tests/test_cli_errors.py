import pytest

from mmvsolvers.cli.errors import _was_interrupted


def test_an_interrupt_is_found_below_the_errors_it_caused():
    try:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise SystemError("returned a result with an exception set") from interrupt
    except SystemError as inner:
        outer = SystemError("once more")
        outer.__cause__ = inner
    assert _was_interrupted(outer)
    assert not _was_interrupted(SystemError("of another kind"))


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemError])
def test_ctrl_c_ends_with_130_and_other_system_errors_are_shown(monkeypatch, tmp_path, raised):
    import mmvsolvers.comparison  # noqa: F401
    from mmvsolvers.cli import main

    def interrupted(*arguments, **options):
        raise raised

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mmvsolvers.comparison.evaluate", interrupted)
    wanted = SystemExit if raised is KeyboardInterrupt else SystemError
    with pytest.raises(wanted) as caught:
        main(["compare", "--pilot-lengths", "6", "--devices", "20", "--samples", "2", "--train-samples", "2"])
    if raised is KeyboardInterrupt:
        assert caught.value.code == 130


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "amp_nn", "--case", "groups"], "--case is now --activity"),
        (["train", "amp_nn", "--M", "4"], "--M is now -M (--antennas)"),
        (["evaluate", "runs", "--n-test", "10"], "--n-test is now --samples"),
        (["evaluate", "runs", "--draws", "10"], "--draws is now --pilot-draws"),
    ],
)
def test_old_spellings_name_the_new_ones(arguments, words, capsys):
    from mmvsolvers.cli import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"Error: {words}\n"
