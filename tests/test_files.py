import io
import struct
import zipfile
import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from mmvsolvers.files import contents, is_matlab73, load_arrays, save_arrays

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
    found = load_arrays(tmp_path / name, contents(tmp_path / name))
    assert found.keys() == ARRAYS.keys()
    for key, wanted in ARRAYS.items():
        np.testing.assert_array_equal(found[key], wanted)
        assert found[key].dtype == wanted.dtype
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
    found = load_arrays(path, ["A", "Y"])
    np.testing.assert_array_equal(found["A"], ARRAYS["A"])
    np.testing.assert_array_equal(found["Y"], ARRAYS["Y"])


def test_never_overwrites_unasked(tmp_path):
    path = tmp_path / "a.npz"
    save_arrays(path, {"A": np.ones(2)})
    with pytest.raises(FileExistsError, match=r"a\.npz is there already"):
        save_arrays(path, {"A": np.zeros(2)})
    assert load_arrays(path, ["A"])["A"].all()
    save_arrays(path, {"A": np.zeros(2)}, overwrite=True)
    assert not load_arrays(path, ["A"])["A"].any()


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.h5"
    save_arrays(path, {"A": np.ones(2)})
    with pytest.raises(TypeError):
        save_arrays(path, {"A": np.array([object()])}, overwrite=True)
    assert list(tmp_path.iterdir()) == [path]
    assert load_arrays(path, ["A"])["A"].all()


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5"])
def test_broken_files_give_one_sentence(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"not what it says")
    with pytest.raises(ValueError, match=f"cannot be read as a {suffix} file"):
        load_arrays(path, ["A"])


def test_pickles_are_not_opened(tmp_path):
    np.savez(tmp_path / "a.npz", A=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="cannot be read"):
        load_arrays(tmp_path / "a.npz", ["A"])


def test_names_what_is_wrong(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_arrays(tmp_path / "absent.npz", ["A"])
    (tmp_path / "a.csv").touch()
    with pytest.raises(ValueError, match=r"must end in one of \.mat"):
        load_arrays(tmp_path / "a.csv", ["A"])
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save_arrays(tmp_path / "absent" / "a.npz", ARRAYS)


def test_hdf5storage_reads_and_writes_the_same_v73(tmp_path):
    """An independent implementation of MATLAB's format, in both directions."""
    hdf5storage = pytest.importorskip("hdf5storage")
    arrays = {**ARRAYS, "none": np.zeros((0, 2)), "row": np.arange(3), "one": np.float32(2)}
    save_arrays(tmp_path / "ours.mat", arrays, matlab73=True)
    options = {"format": "7.3", "oned_as": "column", "store_python_metadata": False}
    hdf5storage.savemat(str(tmp_path / "theirs.mat"), arrays, **options)
    theirs = hdf5storage.loadmat(str(tmp_path / "ours.mat"))
    ours = load_arrays(tmp_path / "theirs.mat", arrays)
    for name, wanted in arrays.items():
        for found in (theirs[name], ours[name]):
            np.testing.assert_array_equal(found.squeeze(), np.squeeze(wanted))
            assert found.dtype == wanted.dtype
            assert found.ndim >= 2


def test_doubles_that_matlab_stored_as_integers_are_doubles(tmp_path):
    # MATLAB stores a double of small whole numbers as int8, and tells its class beside: element by element, by hand.
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data.ljust(-(-len(data) // 8) * 8, b"\0")

    real, imaginary = np.array([[1, -1], [1, 1]], np.int8), np.array([[0, 1], [-1, 0]], np.int8)
    for name, parts in (("plain", [real]), ("complex", [real, imaginary])):
        flags = struct.pack("<II", 6 | (0x800 if len(parts) == 2 else 0), 0)
        body = element(6, flags) + element(5, struct.pack("<ii", 2, 2)) + element(1, b"A")
        body += b"".join(element(1, part.T.tobytes()) for part in parts)
        path = tmp_path / f"{name}.mat"
        path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + element(14, body))
        found = load_arrays(path, ["A"])["A"]
        assert found.dtype == (np.float64 if len(parts) == 1 else np.complex128)
        np.testing.assert_array_equal(found, real + 1j * imaginary if len(parts) == 2 else real)


@pytest.mark.parametrize("suffix", [".mat", ".npz", ".h5", "73.mat"])
def test_reads_only_what_is_asked_for(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez(path, A=np.eye(2), other=np.array([{}], object))
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.npy", npy_header((10**9, 10**6)) + bytes(10**6))
    elif suffix == ".mat":
        scipy.io.savemat(path, {"A": np.eye(2), "other": {"x": [1, "two"]}, "text": "abc"})
    else:
        save_arrays(path, {"A": np.eye(2)}, matlab73=True)
        with h5py.File(path, "a") as stream:
            stream.create_dataset("huge", (10**9, 10**6), chunks=(10**3, 10**3), dtype="f8")
            stream.create_group("group")
            stream.create_dataset("text", data="abc")
    np.testing.assert_array_equal(load_arrays(path, ["A"])["A"], np.eye(2))
    with pytest.raises(ValueError, match=r"has no variable 'B'; it holds .*A (float64|double) \(2, 2\)"):
        load_arrays(path, ["B"])
    for name in contents(path).keys() - {"A"}:
        with pytest.raises(ValueError, match="cannot be read"):
            load_arrays(path, [name])


def npy_header(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("suffix", [".h5", ".mat"])
def test_no_other_file_is_read(tmp_path, suffix):
    secret, path = tmp_path / "secret", tmp_path / f"a{suffix}"
    secret.write_bytes(bytes(64))
    save_arrays(tmp_path / "other.h5", {"A": np.eye(2)})
    save_arrays(path, {"A": np.eye(2)}, matlab73=True)
    layout = h5py.VirtualLayout((2, 2), "f8")
    layout[:] = h5py.VirtualSource(tmp_path / "other.h5", "A", (2, 2))
    with h5py.File(path, "a") as stream:
        stream.create_dataset("outside", (8,), "f8", external=[(secret, 0, 64)])
        stream["link"] = h5py.ExternalLink(tmp_path / "other.h5", "A")
        stream["soft"] = h5py.SoftLink("/link")
        stream.create_virtual_dataset("virtual", layout)
    for name in ("outside", "link", "soft", "virtual"):
        with pytest.raises(ValueError, match=r"lie in other files|is a link"):
            load_arrays(path, [name])


def test_a_check_sum_that_is_wrong_is_noticed(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, A=np.zeros(1000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="CRC"):
        load_arrays(path, ["A"])


def test_only_numbers_are_written(tmp_path):
    for value in (np.array([object()]), np.array(["a"])):
        with pytest.raises(TypeError, match="A must be a numeric array"):
            save_arrays(tmp_path / "a.npz", {"A": value})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("number", [0, 8, 11, 25, 1 << 30])
def test_a_type_of_number_that_there_is_none_of_does_not_reach_scipy(tmp_path, number, is_compressed):
    """It would end the process."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"first": 1.0, "A": ARRAYS["A"], "Y": np.arange(3.0)}, do_compression=is_compressed)
    data = path.read_bytes()
    parts, at = [], 128
    while at < len(data):
        _, size = struct.unpack_from("<II", data, at)
        end = at + 8 + size
        parts.append(data[at:end] if not is_compressed else zlib.decompress(data[at + 8 : end]))
        at = end
    sound = parts[1]
    tag = sound.index(struct.pack("<II", 7, 24))  # single precision, six numbers
    parts[1] = sound[:tag] + struct.pack("<I", number) + sound[tag + 4 :]
    if is_compressed:
        packed = [zlib.compress(part) for part in parts]
        parts = [struct.pack("<II", 15, len(part)) + part for part in packed]
    path.write_bytes(data[:128] + b"".join(parts))
    with pytest.raises(ValueError, match="a variable is not made of numbers of types that there are"):
        load_arrays(path, ["A"])
    np.testing.assert_array_equal(load_arrays(path, ["Y"])["Y"].ravel(), np.arange(3.0))


def test_reads_mat_of_either_byte_order_and_of_version_4(tmp_path):
    scipy.io.savemat(tmp_path / "4.mat", {"A": np.arange(6.0).reshape(2, 3)}, format="4")
    np.testing.assert_array_equal(load_arrays(tmp_path / "4.mat", ["A"])["A"], np.arange(6.0).reshape(2, 3))
    scipy.io.savemat(tmp_path / "5.mat", {"A": np.arange(6.0).reshape(2, 3)})
    data = (tmp_path / "5.mat").read_bytes()
    words = np.frombuffer(data[128:], np.uint32).byteswap()
    body = bytearray(words.tobytes())
    body[40:48] = b"\0\1\0\1A\0\0\0"  # the name: one byte of type 1, in the place of its size
    numbers = np.frombuffer(data[-48:], np.float64).byteswap().tobytes()
    (tmp_path / "big.mat").write_bytes(data[:124] + b"\1\0MI" + bytes(body[:-48]) + numbers)
    np.testing.assert_array_equal(load_arrays(tmp_path / "big.mat", ["A"])["A"], np.arange(6.0).reshape(2, 3))
