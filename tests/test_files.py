import h5py
import numpy as np
import pytest

from mmvsolvers.files import is_matlab73, load_arrays, save_arrays

ARRAYS = {
    "A": (np.arange(6).reshape(2, 3) + 1j).astype(np.complex64),
    "Y": np.arange(24.0).reshape(4, 2, 3),
    "flag": np.array([[True, False]]),
}


@pytest.mark.parametrize(
    ("name", "matlab73"), [("a.mat", False), ("a.mat", True), ("a.npz", False), ("a.h5", False), ("a.hdf5", False)]
)
def test_round_trip(tmp_path, name, matlab73):
    save_arrays(tmp_path / name, ARRAYS, matlab73=matlab73)
    found = load_arrays(tmp_path / name)
    assert found.keys() == ARRAYS.keys()
    for key, wanted in ARRAYS.items():
        np.testing.assert_array_equal(found[key], wanted)
        assert found[key].dtype == wanted.dtype or key == "flag"
    assert list(tmp_path.iterdir()) == [tmp_path / name]
    assert is_matlab73(tmp_path / name) == matlab73


def test_reads_v73_as_matlab_writes_it(tmp_path):
    # axes reversed, complex numbers as pairs, a class attribute, and a header of 512 bytes in front
    path = tmp_path / "theirs.mat"
    with h5py.File(path, "w", userblock_size=512) as stream:
        pairs = np.zeros((3, 2), [("real", "f8"), ("imag", "f8")])
        pairs["real"], pairs["imag"] = ARRAYS["A"].T.real, ARRAYS["A"].T.imag
        stream.create_dataset("A", data=pairs).attrs["MATLAB_class"] = np.bytes_("double")
        stream.create_dataset("Y", data=ARRAYS["Y"].T).attrs["MATLAB_class"] = np.bytes_("double")
    with path.open("r+b") as stream:
        stream.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")
    found = load_arrays(path)
    np.testing.assert_array_equal(found["A"], ARRAYS["A"])
    np.testing.assert_array_equal(found["Y"], ARRAYS["Y"])


def test_never_overwrites_unasked(tmp_path):
    path = tmp_path / "a.npz"
    save_arrays(path, {"A": np.ones(2)})
    with pytest.raises(FileExistsError, match=r"a\.npz is there already"):
        save_arrays(path, {"A": np.zeros(2)})
    assert load_arrays(path)["A"].all()
    save_arrays(path, {"A": np.zeros(2)}, overwrite=True)
    assert not load_arrays(path)["A"].any()


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.h5"
    save_arrays(path, {"A": np.ones(2)})
    with pytest.raises(TypeError):
        save_arrays(path, {"A": np.array([object()])}, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert load_arrays(path)["A"].all()


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_broken_files_give_one_sentence(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not what it says")
    with pytest.raises(ValueError, match=f"cannot be read as a {suffix} file"):
        load_arrays(path)


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", A=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        load_arrays(tmp_path / "a.npz")


def test_names_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_arrays(tmp_path / "absent.npz")
    (tmp_path / "a.csv").touch()
    with pytest.raises(ValueError, match=r"must end in one of \.mat"):
        load_arrays(tmp_path / "a.csv")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save_arrays(tmp_path / "absent" / "a.npz", ARRAYS)
