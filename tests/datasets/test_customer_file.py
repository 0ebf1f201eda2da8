import gzip
import json
import pickle

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError

from pentathlon.datasets import CustomerFileDataset
from pentathlon.errors import DataError, ParameterError

FRAME = pd.DataFrame({"id": ["007", "8"], "spend": [1.5, None], "n": [1, 2]})


def load(path, **arguments):
    return CustomerFileDataset(filepath=str(path), **arguments).load()


def refusal(path, cause=DataError, **arguments):
    """Message with which Kedro stops, after checking what caused it."""
    with pytest.raises(DatasetError) as error:
        load(path, **arguments)
    assert isinstance(error.value.__cause__, cause)
    assert str(error.value.__cause__) in str(error.value)
    return str(error.value.__cause__)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.tsv", "a.tsv.gz", "A.CSV"])
def test_text_formats_stay_text(tmp_path, name):
    path = tmp_path / name
    separator = "\t" if "tsv" in name else ","
    compression = "gzip" if name.endswith("gz") else None
    FRAME.to_csv(path, index=False, sep=separator, compression=compression)
    frame = load(path)
    assert frame.to_dict("list") == {"id": ["007", "8"], "spend": ["1.5", ""], "n": ["1", "2"]}
    assert frame.attrs["source"] == str(path)


@pytest.mark.parametrize("name", ["a.parquet", "a.feather", "a.arrow"])
def test_typed_formats_keep_their_types(tmp_path, name):
    path = tmp_path / name
    (FRAME.to_parquet if name.endswith("parquet") else FRAME.to_feather)(path)
    pd.testing.assert_frame_equal(load(path), FRAME)


def test_nothing_is_taken_for_missing(tmp_path):
    (tmp_path / "a.csv").write_text("message\nNA\nnull\nNone\n")
    assert load(tmp_path / "a.csv")["message"].tolist() == ["NA", "null", "None"]


def test_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfid,spend\n1,2\n")
    assert list(load(tmp_path / "a.csv").columns) == ["id", "spend"]


def test_load_args_reach_the_reader(tmp_path):
    (tmp_path / "a.csv").write_bytes("id;näme\n1;é\n".encode("latin-1"))
    frame = load(tmp_path / "a.csv", load_args={"sep": ";", "encoding": "latin-1"})
    assert frame.to_dict("list") == {"id": ["1"], "näme": ["é"]}


def test_file_not_found(tmp_path):
    message = refusal(tmp_path / "a.csv")
    assert message.startswith(f"There is no file {tmp_path / 'a.csv'}.")


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "a.parquet").mkdir()
    assert "is a folder" in refusal(tmp_path / "a.parquet")


def test_not_utf8(tmp_path):
    (tmp_path / "a.csv").write_bytes("name\ncafé\n".encode("latin-1"))
    message = refusal(tmp_path / "a.csv")
    assert "is not UTF-8 text (byte 0xe9)" in message
    assert "load_args: {encoding: latin-1}" in message


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_empty_csv(tmp_path, content):
    (tmp_path / "a.csv").write_bytes(content)
    assert refusal(tmp_path / "a.csv") == f"{tmp_path / 'a.csv'} is empty. Export it again."


def test_truncated_parquet(tmp_path):
    FRAME.to_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    for size in (0, 3, len(whole) // 2, len(whole) - 1):
        (tmp_path / "a.parquet").write_bytes(whole[:size])
        message = refusal(tmp_path / "a.parquet")
        assert "cannot be read as .parquet" in message
        assert "cut short" in message


def test_truncated_gzip(tmp_path):
    whole = gzip.compress(b"id,spend\n" + b"".join(b"%d,1\n" % i for i in range(5000)))
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    assert "cannot be read as .csv.gz" in refusal(tmp_path / "a.csv.gz")


def test_text_that_is_called_parquet_or_gzip(tmp_path):
    for name in ("a.parquet", "a.feather", "a.csv.gz"):
        (tmp_path / name).write_text("id,spend\n1,2\n")
        assert f"cannot be read as {name[1:]}" in refusal(tmp_path / name)


@pytest.mark.parametrize("rows", ["id,spend\n1,2\n1,2,3\n", "id,spend\n1,2,3\n1,2,3\n"])
def test_more_fields_than_names(tmp_path, rows):
    (tmp_path / "a.csv").write_text(rows)
    assert "cannot be read as .csv" in refusal(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("a.pkl", "can run any program when it is opened"),
        ("a.rda", "arrow::write_parquet"),
        ("a.xlsx", 'Save it as "CSV UTF-8"'),
        ("a.json", "Convert it to one of them"),
        ("a", "files of type 'none' are not read"),
        ("a.pkl.gz", "files of type '.pkl.gz' are not read"),
    ],
)
def test_other_formats_are_refused_with_a_way_out(tmp_path, name, advice):
    (tmp_path / name).write_bytes(pickle.dumps(FRAME))
    message = refusal(tmp_path / name)
    assert ".parquet, .csv, .csv.gz" in message
    assert advice in message


def test_unknown_load_args(tmp_path):
    (tmp_path / "a.csv").write_text("id\n1\n")
    message = refusal(tmp_path / "a.csv", ParameterError, load_args={"separator": ";"})
    assert "load_args" in message
    assert "separator" in message


def test_preview_is_json(tmp_path):
    for name in ("a.csv", "a.parquet", "a.feather"):
        path = tmp_path / name
        {"a.csv": lambda p: FRAME.to_csv(p, index=False), "a.parquet": FRAME.to_parquet}.get(
            name, FRAME.to_feather
        )(path)
        preview = CustomerFileDataset(filepath=str(path)).preview(nrows=1)
        assert json.loads(json.dumps(preview)) == preview
        assert preview["columns"] == ["id", "spend", "n"]
        assert len(preview["data"]) == 1
    full = CustomerFileDataset(filepath=str(tmp_path / "a.parquet")).preview()
    assert full["data"][1] == ["8", None, 2]


def test_kedro_viz_recognises_the_preview():
    import inspect

    annotation = inspect.signature(CustomerFileDataset.preview).return_annotation
    assert getattr(annotation, "__name__", annotation) == "TablePreview"


def test_load_only(tmp_path):
    dataset = CustomerFileDataset(filepath=str(tmp_path / "a.csv"))
    with pytest.raises(DatasetError, match="is only read"):
        dataset.save(FRAME)
    assert not dataset.exists()
    assert not (tmp_path / "a.csv").exists()


def test_through_a_catalog(tmp_path):
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    catalog = DataCatalog.from_config(
        {
            "raw_customers": {
                "type": "pentathlon.datasets.CustomerFileDataset",
                "filepath": str(tmp_path / "a.csv"),
                "metadata": {"kedro-viz": {"layer": "raw"}},
            }
        }
    )
    assert catalog.exists("raw_customers")
    assert len(catalog.load("raw_customers")) == 2
    assert "filepath=" in repr(catalog["raw_customers"])
