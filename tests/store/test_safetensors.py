"""Bytes of model files: the plain library reads them, no bit and no length may differ, hostile ones are refused."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import tracemalloc
import zipfile

import numpy as np
import pytest
import safetensors.torch
import torch

from thalweg.errors import ModelFileError
from thalweg.store.header import check_schema
from thalweg.store.safetensors import pack, unpack
from thalweg.store.strict_json import dumps


def test_round_trip_is_exact(description, tensors, packed, read):
    again, numbers = read(packed)
    assert repr(again) == repr(description)
    assert numbers.keys() == tensors.keys()
    assert all(numbers[name].numpy().tobytes() == t.numpy().tobytes() for name, t in tensors.items())
    assert pack(again, {name: numbers[name] for name in tensors}) == packed


def test_the_plain_library_reads_it(tmp_path, tensors, packed):
    path = tmp_path / "m.safetensors"
    path.write_bytes(packed)
    with safetensors.safe_open(path, "pt") as opened:
        assert json.loads(opened.metadata()["thalweg"])["schema"] == 1
        assert opened.metadata()["checksum"].startswith("sha256:")
        assert all(torch.equal(opened.get_tensor(name), t) for name, t in tensors.items())


@pytest.mark.parametrize("columns", [0, 1])
def test_few_coefficients(description, read, columns):
    theta, square = torch.ones(columns, dtype=torch.float64), torch.ones(columns, columns, dtype=torch.float64)
    description["names"] = description["names"][:columns]
    _, numbers = read(pack(description, {"theta": theta, "covariance": square}))
    assert numbers["theta"].shape == (columns,)
    assert numbers["covariance"].shape == (columns, columns)


def test_numbers_start_at_a_multiple_of_8_whatever_the_text(description, tensors, read):
    """Then a reader may map the file into memory and use the float64 in place."""
    for extra in range(9):
        description["notes"] = ["x" * extra]
        data = pack(description, tensors)
        assert int.from_bytes(data[:8], "little") % 8 == 0
        read(data)


def refused(read, data: bytes) -> bool:
    try:
        read(data)
    except ModelFileError:
        return True
    return False


def test_every_single_bit_is_guarded(packed, read):
    assert not refused(read, packed)
    data = bytearray(packed)
    for at in range(8 * len(data)):
        data[at // 8] ^= 1 << at % 8
        assert refused(read, bytes(data)), f"bit {at % 8} of byte {at // 8}"
        data[at // 8] ^= 1 << at % 8


def test_every_truncation_and_addition_is_refused(packed, read):
    assert all(refused(read, packed[:length]) for length in range(len(packed)))
    assert refused(read, packed + b"\0")
    assert refused(read, packed + packed)


def test_bytes_replaced_exchanged_or_zeroed_are_refused(packed, read):
    chance = random.Random(5)
    for _ in range(2000):
        data = bytearray(packed)
        first, second = sorted(chance.sample(range(len(data) + 1), 2))
        data[first:second] = chance.choice(
            [bytes(second - first), chance.randbytes(second - first), data[second:first:-1]]
        )
        assert bytes(data) == packed or refused(read, bytes(data))


def test_another_tool_may_not_rewrite_the_file(packed, tensors, read):
    with pytest.raises(ModelFileError, match="checksum"):
        read(
            safetensors.torch.save(
                tensors, json.loads(packed[8 : 8 + int.from_bytes(packed[:8], "little")])["__metadata__"]
            )
        )


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", "...")
    return stream.getvalue()


def saved_array() -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.ones(3))
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "empty"),
        (b"\0", "kind that Thalweg does not know"),
        (bytes(1000), "kind that Thalweg does not know"),
        *((pickle.dumps({"theta": [1.0, 2.0]}, protocol), "a pickle, which can run code") for protocol in range(6)),
        *((pickle.dumps([1.0] * 500, protocol), "a pickle, which can run code") for protocol in range(6)),
        (zipped(), r"zip archive.*\.pt.*pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (saved_array(), r"NumPy array"),
        (gzip.compress(b"x", mtime=0), "gzip"),
        (b"PAR1" + bytes(50), "Parquet"),
        (b"age,bmi\n50,23.1\n", "text"),
        (b'{"theta": [1, 2]}', "text"),
    ],
)
def test_other_kinds_of_file_are_named(read, data, kind):
    with pytest.raises(ModelFileError, match=f"not a safetensors file but (is )?.*{kind}"):
        read(data)


def test_a_header_as_long_as_a_pickle_starts_is_read(description, tensors, read):
    """1152 or 1408 as a length looks like the first bytes of a pickle."""
    description["notes"] = ["x" * 8]
    short = int.from_bytes(pack(description, tensors)[:8], "little")
    length = next(n for n in (0x0480, 0x0580) if n >= short)
    description["notes"] = ["x" * (8 + length - short)]
    data = pack(description, tensors)
    assert pickle.dumps(0, data[1])[:2] == data[:2]
    read(data)


GOOD_ENTRY = {"dtype": "F64", "shape": [2], "data_offsets": [0, 16]}


def metadata(text: str, checksum: str = "sha256:" + "0" * 64) -> dict:
    return {"checksum": checksum, "thalweg": text}


SCHEMA_1 = metadata('{"schema":1}')


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"theta": GOOD_ENTRY}, "but not a Thalweg model"),
        ({"__metadata__": {"format": "pt"}, "weight": GOOD_ENTRY}, "but not a Thalweg model"),
        ({"__metadata__": "thalweg"}, "but not a Thalweg model"),
        ({"__metadata__": SCHEMA_1 | {"x": "y"}}, "its metadata are"),
        ({"__metadata__": {"thalweg": "{}"}}, "its metadata are"),
        ({"__metadata__": metadata('{"schema":1}', "md5:0")}, "checksum is not one"),
        ({"__metadata__": metadata('{"schema":1}', "sha256:" + "A" * 64)}, "checksum is not one"),
        ({"__metadata__": {"checksum": 1, "thalweg": "{}"}}, "checksum is not one"),
        ({"__metadata__": SCHEMA_1 | {"thalweg": {"schema": 1}}}, "description is not"),
        ({"__metadata__": metadata("[]")}, "description is not"),
        ({"__metadata__": metadata("{")}, "not valid JSON"),
        ({"__metadata__": metadata('{"a":' * 70 + "0" + "}" * 70)}, "nests deeper"),
        ({"__metadata__": metadata('{"schema":1,"schema":1}')}, "twice"),
        (
            {"__metadata__": metadata('{"schema":3}')},
            r"later version \(schema 3\); this Thalweg reads schemas 1 to 2. Update",
        ),
        ({"__metadata__": metadata('{"schema":' + "9" * 4000 + "}")}, "later version"),
        ({"__metadata__": metadata('{"schema":0}')}, "no schema that exists"),
        ({"__metadata__": metadata('{"schema":true}')}, "no schema that exists"),
        ({"__metadata__": metadata("{}")}, "no schema that exists"),
        ({"__metadata__": SCHEMA_1, "../x": GOOD_ENTRY}, r"unknown tensor '\.\./x'"),
        ({"__metadata__": SCHEMA_1, "/etc/passwd": GOOD_ENTRY}, "unknown tensor"),
        ({"__metadata__": SCHEMA_1, "theta": 5}, "not one of a tensor"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"file": "x"}}, "not one of a tensor"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"dtype": "F32"}}, "type 'F32'"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"dtype": ["F64"]}}, "instead of 'F64'"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": 2}}, "impossible shape"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": [-2]}}, "impossible shape"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": [2.0]}}, "impossible shape"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": [True, 2]}}, "impossible shape"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": [2, 1, 1]}}, "impossible shape"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"shape": [2**62, 2**62]}}, "impossible shape"),
        (
            {"__metadata__": SCHEMA_1, "theta": {"dtype": "F64", "shape": [2**29, 2**29], "data_offsets": [0, 2**61]}},
            "declares 2,305,843,009,213,693,952 bytes",
        ),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"data_offsets": [8, 24]}}, "overlap, leave holes"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"data_offsets": [0, 8]}}, "overlap, leave holes"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"data_offsets": [0.0, 16]}}, "overlap, leave holes"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY | {"data_offsets": "0,16"}}, "overlap, leave holes"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY, "unscaled": GOOD_ENTRY}, "overlap, leave holes"),
        ({"__metadata__": SCHEMA_1}, "declares 0 bytes of numbers, but 16 follow"),
        ({"__metadata__": SCHEMA_1, "theta": GOOD_ENTRY}, "checksum is not where it belongs"),
        (b"{\xff}", "UTF-8"),
        (b"{", "not valid JSON"),
        (b'{"a":' * 100_000, "nests deeper"),
        (b'{"theta":1,"theta":2}', "twice"),
    ],
)
def test_hostile_headers(read, foreign, header, reason):
    with pytest.raises(ModelFileError, match=reason) as caught:
        read(foreign(header, bytes(16)))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("length", [2**63, 2**40, 2**25, 400])
def test_a_header_that_lies_about_its_length_asks_for_no_memory(read, foreign, length):
    tracemalloc.start()
    with pytest.raises(ModelFileError, match=r"says that its header has [\d,]+ bytes, but only \d+ follow"):
        read(foreign(b"{}", bytes(100), length))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_sizes_are_limited_before_anything_is_read():
    start = (2**24 + 8).to_bytes(8, "little") + b"{}"
    with pytest.raises(ModelFileError, match="no model's has over 16,777,216"):
        unpack(io.BytesIO(start), 2**30, check_schema)
    with pytest.raises(ModelFileError, match="no model file has over 1,073,741,824"):
        unpack(io.BytesIO((2).to_bytes(8, "little") + b"{}"), 2**40, check_schema)


def test_a_model_beyond_the_limits_is_not_written(description):
    description["notes"] = ["x" * 2**24]
    with pytest.raises(ModelFileError, match="too large"):
        pack(description, {"theta": torch.ones(2, dtype=torch.float64)})


def test_text_that_imitates_the_checksum_does_not_move_it(description, tensors, read):
    description["notes"] = ['"checksum":"sha256:' + "0" * 64 + '"']
    again, _ = read(pack(description, tensors))
    assert again["notes"] == description["notes"]
    assert dumps(again) == dumps(description)


def test_a_file_that_shrinks_while_it_is_read(packed):
    with pytest.raises(ModelFileError, match="changed while it was read"):
        unpack(io.BytesIO(packed[:-8]), len(packed), check_schema)
