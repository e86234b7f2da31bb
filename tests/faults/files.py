"""Malformed and hostile files: ``python -m tests.faults.files``.

Every command that reads a file is given files that are truncated, of another kind, of another run, incomplete or made
to deceive. What must come of it is the exit status 1 (or 2), one line that names the file or the variable, and nothing
written; never a traceback, never what another file holds.
"""

import json
import pickle
import shutil
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from typer.testing import CliRunner

from mmvsolvers.cli import main as mmv
from mmvsolvers.files import save_arrays

SUFFIXES = (".npz", ".h5", ".mat", "7.3.mat")
SECRET = 271828.0
DEEP = "[" * 100_000


@dataclass(frozen=True)
class Case:
    """A file, the command that reads it, and what its one line must name."""

    name: str
    arguments: tuple[str, ...]
    named: str

    def outcome(self) -> str:
        """Run the command in this process; return "refused", or what went wrong."""
        found = CliRunner().invoke(mmv, list(self.arguments))
        if not isinstance(found.exception, SystemExit):
            return f"exit status {found.exit_code}, {found.exception!r}"
        lines = [line for line in found.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith(("Error: ", "Usage: "))]
        if found.exit_code not in (1, 2) or len(errors) != 1 or lines[-1] != errors[0]:
            return f"exit status {found.exit_code}: {found.stderr[-300:]!r}"
        if self.named not in errors[0]:
            return f"{self.named} is not named: {errors[0]}"
        if str(SECRET)[:6] in found.output:
            return f"another file was read: {found.output!r}"
        return "refused"


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {"A": rng.standard_normal((6, 10)), "Y": rng.standard_normal((6, 2))}


def written(folder: Path, suffix: str, **others: np.ndarray) -> Path:
    """Write a sound file, with some arrays in the place of its own."""
    path = folder / f"sound{suffix}"
    save_arrays(path, arrays() | others, overwrite=True, matlab73=suffix == "7.3.mat")
    return path


def solving(path: Path, *more: str, named: str | None = None) -> Case:
    out = path.with_name("out.npz") if path.suffix == ".npz" else path.with_name(f"out{path.suffix}")
    name = " ".join(("solve", path.name, *more))
    command = ("solve", str(path), "-s", "group_lasso_bcd", "--lam", "0.1", "--output", str(out), *more)
    return Case(name, command, path.name if named is None else named)


def damaged(folder: Path) -> Iterator[Case]:
    """Files of every format that are not whole, or not what their names say."""
    for suffix in SUFFIXES:
        whole = written(folder, suffix).read_bytes()
        other = written(folder, ".npz" if suffix != ".npz" else ".h5").read_bytes()
        contents = {
            "empty": b"",
            "text": b"A = [1 2; 3 4]\n",
            "first_bytes": whole[:20],
            "half": whole[: len(whole) // 2],
            "all_but_the_end": whole[: int(0.97 * len(whole))],
            "other_format": other,
            "zeros": bytes(len(whole)),
            "beheaded": whole[600:],
        }
        for what, data in contents.items():
            path = folder / f"{what}{suffix}"
            path.write_bytes(data)
            yield solving(path)
        path = folder / f"folder{suffix}"
        path.mkdir()
        yield solving(path)
        yield solving(folder / f"absent{suffix}")
        yield solving(written(folder, suffix), "--pilots-name", "B")


def wrong_arrays(folder: Path) -> Iterator[Case]:
    """Arrays that are none of a problem."""
    wrong = {
        "integers": np.ones((6, 10), int),
        "nan": np.full((6, 10), np.nan),
        "scalar": np.array(1.0),
        "no_row": np.ones((0, 10)),
        "three_axes": np.ones((2, 6, 10)),
        "other_length": np.ones((5, 10)),
    }
    for suffix in (".npz", "7.3.mat"):
        for what, A in wrong.items():
            target = folder / f"{what}{suffix}"
            shutil.copy(written(folder, suffix, A=A), target)
            yield solving(target, named="A")
    path = written(folder, ".npz", n=np.array([-1.0]), m=np.array([1j]), k=np.ones(7))
    for name in "nmk":
        command = ("solve", str(path), "-s", "ml_cd", "--noise-var", name, "--output", str(folder / "out.npz"))
        yield Case(f"solve --noise-var {name}", command, "noise_var")


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def npy_bytes(array: np.ndarray, header: str | None = None) -> bytes:
    """Return the bytes of a .npy file, with a header of one's own."""
    stream = BytesIO()
    if header is None:
        npy.write_array(stream, array)
        return stream.getvalue()
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + array.tobytes()


class Evil:
    """Would say so when unpickled."""

    def __reduce__(self):
        return print, (str(SECRET),)


def hostile_npz(folder: Path) -> Iterator[Case]:
    """Archives made to deceive."""
    A, Y = (npy_bytes(array) for array in arrays().values())
    ones = np.ones((6, 10))
    shape = "'fortran_order': False, 'shape': "
    headers = {
        "pickle": ("|O", "(6, 10)"),
        "huge": ("<f8", "(1000000, 1000000)"),
        "overflow": ("<f8", "(4611686018427387904, 4)"),
        "negative": ("<f8", "(-6, 10)"),
        "short": ("<f8", "(2, 2)"),
        "long": ("<f8", "(60, 100)"),
        "fields": ("[('a', '<f8')]", "(6, 10)"),
        "words": ("<U4", "(6, 5)"),
        "call": ("__import__('os').getcwd()", "(6, 10)"),
        "deep": ("<f8", "(" * 90),
    }
    for what, (kind, size) in headers.items():
        kind = kind if kind.startswith(("[", "__")) else f"'{kind}'"
        member = npy_bytes(ones, f"{{'descr': {kind}, {shape}{size}}}")
        yield solving(zipped(folder / f"{what}.npz", {"A.npy": member, "Y.npy": Y}))
    stream = BytesIO()
    npy.write_array(stream, np.array([Evil()], object))
    members = {
        "unpickled": stream.getvalue(),
        "magic": A[:6] + b"\x09\x00" + A[8:],
        "no_header": A[:8],
        "bomb": npy_bytes(ones) + bytes(1 << 24),
        "nested": zipped(folder / "inner.npz", {"A.npy": A}).read_bytes(),
        "bare_pickle": pickle.dumps(Evil()),
    }
    for what, member in members.items():
        yield solving(zipped(folder / f"{what}.npz", {"A.npy": member, "Y.npy": Y}))
    yield solving(zipped(folder / "upwards.npz", {"../A.npy": A, "Y.npy": Y}))
    whole = zipped(folder / "whole.npz", {"A.npy": A, "Y.npy": Y}).read_bytes()
    at = whole.index(b"A.npy") + 60
    for what, data in {
        "check_sum": whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :],
        "encrypted": whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"),
        "method": whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x08", b"PK\x01\x02\x14\x03\x14\x00\x00\x00\x63"),
    }.items():
        path = folder / f"{what}.npz"
        path.write_bytes(data)
        yield solving(path)


def hostile_hdf5(folder: Path) -> Iterator[Case]:
    """Files whose contents lie elsewhere, or are no numbers."""
    import h5py

    A, Y = arrays().values()
    secret = folder / "secret.bin"
    secret.write_bytes(np.full((6, 10), SECRET).tobytes())
    other = folder / "other.h5"
    with h5py.File(other, "w") as file:
        file["A"] = np.full((6, 10), SECRET)

    def external(file: "h5py.File") -> None:
        file.create_dataset("A", (6, 10), "f8", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])

    def virtual(file: "h5py.File") -> None:
        layout = h5py.VirtualLayout((6, 10), "f8")
        layout[...] = h5py.VirtualSource(str(other), "A", (6, 10))
        file.create_virtual_dataset("A", layout)

    def corrupt(file: "h5py.File") -> None:
        item = file.create_dataset("A", data=A, chunks=(6, 10), compression="gzip", fletcher32=True)
        item.id.write_direct_chunk((0, 0), b"not what was packed")

    def assign(value: object) -> Callable[["h5py.File"], None]:
        return lambda file: file.__setitem__("A", value)

    makers: dict[str, Callable[[h5py.File], object]] = {
        "external_storage": external,
        "external_link": assign(h5py.ExternalLink(str(other), "A")),
        "virtual": virtual,
        "soft_link": lambda file: (file.__setitem__("B", A), assign(h5py.SoftLink("/B"))(file)),
        "dangling_link": assign(h5py.SoftLink("/nowhere")),
        "group": lambda file: file.create_group("A"),
        "cycle": lambda file: file.__setitem__("A", file["/"]),
        "words": lambda file: file.create_dataset("A", data=["one", "two"]),
        "fields": lambda file: file.create_dataset("A", data=np.zeros((6, 10), [("x", "f8"), ("y", "f8")])),
        "references": lambda file: file.create_dataset("A", (6, 10), h5py.ref_dtype),
        "ragged": lambda file: file.create_dataset("A", (6,), h5py.vlen_dtype("f8")),
        "huge": lambda file: file.create_dataset("A", (10**7, 10**7), "f8", chunks=(1, 1000)),
        "corrupt_chunk": corrupt,
        "null": lambda file: file.create_dataset("A", data=h5py.Empty("f8")),
        "datatype": assign(np.dtype("f8")),
    }
    for what, make in makers.items():
        path = folder / f"{what}.h5"
        with h5py.File(path, "w") as file:
            make(file)
            file["Y"] = Y
        yield solving(path)
    for what, kind in (("char", b"char"), ("cell", b"cell"), ("handle", b"function_handle")):
        path = folder / f"{what}7.3.mat"
        with h5py.File(path, "w", userblock_size=512) as file:
            file.create_dataset("A", data=np.ones((10, 6), np.uint16)).attrs["MATLAB_class"] = np.bytes_(kind)
            file["Y"] = Y.T
        yield solving(path)
    path = folder / "empty_that_is_not7.3.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file.create_dataset("A", data=[1e9, 1e9]).attrs["MATLAB_empty"] = np.uint8(1)
        file["Y"] = Y.T
    yield solving(path)


def hostile_mat(folder: Path) -> Iterator[Case]:
    """What MATLAB can save and is no array."""
    import scipy.io
    import scipy.sparse

    A, Y = arrays().values()
    others = {
        "cell": np.array([[1, "a"]], object),
        "struct": {"field": 1.0},
        "char": "pilots",
        "sparse": scipy.sparse.csc_array(A),
    }
    for what, value in others.items():
        path = folder / f"{what}.mat"
        scipy.io.savemat(path, {"A": value, "Y": Y})
        yield solving(path)
    whole = written(folder, ".mat").read_bytes()
    for what, at in (("length", 132), ("flags", 144), ("dimensions", 160), ("kind", 128)):
        path = folder / f"{what}.mat"
        path.write_bytes(whole[:at] + b"\xff\xff\xff\x7f" + whole[at + 4 :])
        yield solving(path)


def scenarios(folder: Path) -> Iterator[Case]:
    """What is no scenario, and what would import what it must not."""
    texts = {
        "empty": "",
        "half": '{"N": 10, "L": ',
        "deep": DEEP,
        "list": "[]",
        "foreign": '{"a": 1}',
        "no_model": '{"N": 10, "L": 5, "M": 2, "activity": 3, "noise_var": 0.1}',
        "module": '{"N": 10, "L": 5, "M": 2, "activity": {"model": "os:system"}, "noise_var": 0.1}',
        "absent": '{"N": 10, "L": 5, "M": 2, "activity": {"model": "no_such_module:x"}, "noise_var": 0.1}',
        "format": '{"format": 99, "N": 10, "L": 5, "M": 2}',
        "types": '{"N": "ten", "L": [], "M": {}, "activity": {"model": "IndependentActivity", "p": 0.1}}',
        "latin": "\xe9",
    }
    for what, text in texts.items():
        path = folder / f"{what}.json"
        path.write_bytes(text.encode("latin-1"))
        command = ("compare", "--scenario", str(path), "-s", "ml_cd", "--output", str(folder / "out.png"))
        yield Case(f"compare --scenario {what}", command, path.name)


def tables(folder: Path) -> Iterator[Case]:
    """What is no table of `mmv reproduce`."""
    row = {
        "figure": "4", "panel": "a", "x_name": "L/N", "x": "0.1", "case": "single_group", "N": "100", "L": "10",
        "M": "4", "activity": "SingleActiveGroup", "activity.p": "0.1", "channel": "Rayleigh", "noise_var": "0.1",
        "snr_db": "", "scheme": "amp", "pilots": "gaussian", "quantity": "mse", "mean": "0.1", "low": "0.1",
        "high": "0.1", "samples": "9", "draws": "1", "spread": "", "seconds": "1", "seed": "0", "scale": "smoke",
        "protocol": "2", "versions": "none",
    }  # fmt: skip

    def csv(**changes: str) -> bytes:
        values = row | changes
        return f"{','.join(values)}\n{','.join(values.values())}\n".encode()

    contents = {
        "empty": b"",
        "binary": bytes(range(256)),
        "foreign": b"a,b\n1,2\n",
        "header": csv().splitlines()[0],
        "ragged": csv() + b"1,2,3\n" + b"," * 60 + b"\n",
        "utf16": csv().decode().encode("utf-16"),
        "figure": csv(figure="2"),
        "figures": csv(figure="four"),
        "scheme": csv(scheme="magic"),
        "mean": csv(mean="much"),
        "no_interval": csv(low=""),
        "no_samples": csv(samples=""),
        "x": csv(x=""),
        "versions": csv(versions="3"),
        "scale": csv(scale="1"),
        "protocol": csv(protocol="99"),
        "no_protocol": csv(protocol="1.5"),
        "infinite": csv(mean="inf", high="inf"),
        "swapped": csv(low="0.2", high="0.05"),
        "noise": csv(noise_var="loud"),
        "length": csv(L="long"),
        "probability": csv(**{"activity.p": "often"}),
    }
    for what, data in contents.items():
        path = folder / f"{what}.csv"
        path.write_bytes(data)
        for command in (("claims", str(path)), ("draw", str(path), "--out", str(folder / "drawn"))):
            yield Case(f"{command[0]} {what}", command, path.name)


def points(folder: Path) -> Iterator[Case]:
    """Points of `mmv reproduce` that are none."""
    from mmvsolvers.paper.figures import FIGURES
    from mmvsolvers_nn.paper.run import tasks_of
    from mmvsolvers_nn.paper.scales import SCALES
    from mmvsolvers_nn.paper.tasks import file_name

    task, scale = tasks_of(FIGURES[4], SCALES["smoke"])[0], SCALES["smoke"]
    definition = task.definition(scale)
    found = {"quantities": {}, "samples": 1, "seconds": 1.0, "versions": ""}

    def text(**changes: object) -> str:
        return json.dumps({"definition": definition, "findings": {task.schemes[0]: found | changes}})

    texts = {
        "empty": "",
        "half": text()[: len(text()) // 2],
        "deep": DEEP,
        "list": "[]",
        "null": "null",
        "no_findings": json.dumps({"definition": definition}),
        "other_scheme": json.dumps({"definition": definition, "findings": {"magic": found}}),
        "quantities": text(quantities=3),
        "estimate": text(quantities={"mse": {"mean": 1.0}}),
        "word": text(quantities={"mse": {"mean": "a", "low": 0, "high": 1, "n": 1}}),
        "samples": text(samples=None),
        "infinite": text(samples=1e999),
    }
    for what, content in texts.items():
        directory = folder / what
        path = directory / "points" / f"{file_name(task, scale)}.json"
        path.parent.mkdir(parents=True)
        path.write_text(content)
        yield Case(f"reproduce {what}", ("reproduce", "4", "--scale", "smoke", "--out", str(directory)), path.name)
    file = folder / "file"
    file.touch()
    yield Case("reproduce into a file", ("reproduce", "4", "--scale", "smoke", "--out", str(file)), "file")


TRAINING = (
    "train", "covariance_nn", "-N", "12", "-L", "4", "-M", "2", "-p", "0.25", "--activity", "single-group",
    "--train-samples", "32", "--validation-samples", "20", "--max-epochs", "1", "--device", "cpu",
)  # fmt: skip


def runs(folder: Path) -> Iterator[Case]:
    """Files of a training run that are none, or another run's."""
    from safetensors.numpy import load_file, save
    from torch import save as torch_save

    sound = folder / "sound"
    trained = CliRunner().invoke(mmv, [*TRAINING, "--out", str(sound)])
    assert trained.exit_code == 0, trained.output
    weights = (sound / "weights.safetensors").read_bytes()
    told = json.loads((sound / "configuration.json").read_text())
    tensors = load_file(sound / "weights.safetensors")
    first = next(iter(tensors))
    files: dict[str, dict[str, bytes]] = {
        "weights.safetensors": {
            "empty": b"",
            "half": weights[: len(weights) // 2],
            "all_but_one": weights[:-1],
            "header_of_a_exabyte": struct.pack("<Q", 1 << 60) + weights[8:],
            "header_no_json": weights[:8] + b"?" * 64 + weights[72:],
            "header_deep": struct.pack("<Q", len(DEEP)) + DEEP.encode(),
            "pickle": pickle.dumps(Evil()),
            "nothing": save({}),
            "incomplete": save({name: value for name, value in tensors.items() if name != first}),
            "too_much": save(tensors | {"more": np.zeros(3)}),
            "shape": save(tensors | {first: np.zeros((1, 2, 3), np.float32)}),
        },
        "configuration.json": {
            "empty": b"",
            "half": (sound / "configuration.json").read_bytes()[:50],
            "deep": DEEP.encode(),
            "list": b"[]",
            "foreign": b'{"a": 1}',
            "latin": "\xe9".encode("latin-1"),
            "sizes": json.dumps(told | {"scenario": told["scenario"] | {"N": -1}}).encode(),
            "scheme": json.dumps(told | {"architecture": told["architecture"] | {"scheme": "magic"}}).encode(),
            "unknown": json.dumps(told | {"architecture": told["architecture"] | {"depth": 3}}).encode(),
            "word": json.dumps(told | {"optimisation": told["optimisation"] | {"batch_size": "many"}}).encode(),
        },
        "checkpoint.pt": {
            "empty": b"",
            "text": b"no checkpoint",
            "half": (sound / "checkpoint.pt").read_bytes()[:3000],
            "pickle": pickle.dumps(Evil()),
        },
        "log.jsonl": {"text": b"epoch 1\n", "list": b"[1]\n", "deep": DEEP.encode() + b"\n"},
    }
    buffer = BytesIO()
    torch_save({"model": Evil()}, buffer)
    files["checkpoint.pt"]["object"] = buffer.getvalue()
    for name, contents in files.items():
        for what, data in contents.items():
            directory = folder / f"{what}_{name.partition('.')[0]}"
            shutil.copytree(sound, directory)
            (directory / name).write_bytes(data)
            if name in ("weights.safetensors", "configuration.json"):
                yield Case(f"evaluate {what} {name}", ("evaluate", str(directory)), name)
                yield Case(f"export {what} {name}", ("export", str(directory), str(folder / "out.npz")), name)
            if name == "log.jsonl":
                (directory / "checkpoint.pt").unlink()
            if name != "weights.safetensors":
                yield Case(f"train {what} {name}", (*TRAINING, "--out", str(directory)), name)
    yield Case("evaluate nothing", ("evaluate", str(folder / "nowhere")), "nowhere")
    yield Case("train into a file", (*TRAINING, "--out", str(sound / "log.jsonl")), "log.jsonl")
    other = (*TRAINING, "--out", str(sound), "--V", "2")
    yield Case("train in another's directory", other, "sound")


GROUPS = (damaged, wrong_arrays, hostile_npz, hostile_hdf5, hostile_mat, scenarios, tables, points, runs)
QUICK = (hostile_npz, hostile_hdf5, hostile_mat, scenarios, tables)


def flipped(folder: Path, times: int, seed: int = 0) -> Counter[str]:
    """Flip bits of sound files and solve them: a byte may mean nothing, but no outcome may be a traceback."""
    rng = np.random.default_rng(seed)
    found: Counter[str] = Counter()
    for suffix in SUFFIXES:
        whole = written(folder, suffix).read_bytes()
        for k in range(times):
            data = bytearray(whole)
            for at in rng.integers(0, len(data), rng.integers(1, 9)):
                data[at] ^= 1 << rng.integers(8)
            path = folder / f"flipped{k}{suffix}"
            path.write_bytes(data)
            case = solving(path, "--overwrite", named="")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                done = CliRunner().invoke(mmv, list(case.arguments))
            sound = done.exit_code == 0 or (done.exit_code == 1 and isinstance(done.exception, SystemExit))
            found["solved" if done.exit_code == 0 else "refused" if sound else f"{suffix} {k}: {done.exception!r}"] += 1
    return found


def outcomes(groups: tuple[Callable[[Path], Iterator[Case]], ...], folder: Path) -> dict[str, str]:
    """Return what came of every case."""
    found = {}
    for group in groups:
        own = folder / group.__name__
        own.mkdir()
        for case in group(own):
            found[f"{group.__name__}: {case.name}"] = case.outcome()
            written_by_it = [path.name for path in own.glob("out.*")]
            if written_by_it:
                found[f"{group.__name__}: {case.name}"] = f"wrote {', '.join(written_by_it)}"
                for name in written_by_it:
                    (own / name).unlink()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(GROUPS, Path(folder))
        for name, outcome in found.items():
            if outcome != "refused":
                print(f"{name}: {outcome}")
        groups = Counter(name.partition(":")[0] for name in found)
        print(", ".join(f"{name} {n}" for name, n in groups.items()))
        print(
            f"{len(found)} files: {Counter(outcome == 'refused' for outcome in found.values())[True]} refused in a line"
        )
        print("bits flipped:", dict(flipped(Path(folder), 50)))
    sys.exit(any(outcome != "refused" for outcome in found.values()))


if __name__ == "__main__":
    main()
