"""One's own images in tables: what is read of them, and how faults are told."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_makers import Heard, at_hand, drawings, table_text, write_table
from hypothesis import given
from hypothesis import strategies as st

from hpsearch import plugins
from hpsearch.datasets import prepared as stored
from hpsearch.datasets.faults import Faults
from hpsearch.datasets.idx_format import read
from hpsearch.datasets.table import Csv
from hpsearch.datasets.table_lines import CHUNK, Block
from hpsearch.datasets.table_values import Columns, _row, numbers
from hpsearch.errors import DataRefused, ExperimentRefused
from hpsearch.protocols import Prepared

pytestmark = pytest.mark.usefixtures("cache")

IMAGES, LABELS = drawings(height=6, width=6)
TEXT = table_text(IMAGES, LABELS)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_table(tmp_path / "test.csv", IMAGES[:8], LABELS[:8])
    return tmp_path / "own.csv"


def prepare(file: Path, **options: Any) -> Prepared:
    return Csv(file, **{"test": "test.csv"} | options).prepare(Heard())


def assert_as_it_was(file: Path) -> None:
    images, labels = stored.load(prepare(file).folder, "train")
    assert np.array_equal(images, IMAGES)
    assert np.array_equal(labels, LABELS)


# --- what is read ------------------------------------------------------------------------------------

WAYS = {
    "as Kaggle has EMNIST": TEXT.encode(),
    "as Kaggle has MNIST": table_text(IMAGES, LABELS, header=True).encode(),
    "zipped": gzip.compress(TEXT.encode()),
    "zipped in pieces": gzip.compress(TEXT[:999].encode()) + gzip.compress(TEXT[999:].encode()),
    "with a mark of its encoding": b"\xef\xbb\xbf" + TEXT.encode(),
    "with the line ends of Windows": TEXT.replace("\n", "\r\n").encode(),
    "without an end of its last line": TEXT.rstrip().encode(),
    "with blank lines": f"{TEXT}\n \n".encode(),
    "with blanks": TEXT.replace(",", ", ").encode(),
    "with quotes": ("\n".join(f'"{line}"' for line in TEXT.replace(",", '","').split()) + "\n").encode(),
    "as a data frame writes floats": TEXT.replace(",", ".0,").replace("\n", ".0\n").encode(),
    "with zeros in front": TEXT.replace(",", ",0").encode(),
}


@pytest.mark.parametrize("way", WAYS)
def test_tables_come_back_as_they_were(way: str, file: Path) -> None:
    file.write_bytes(WAYS[way])

    assert_as_it_was(file)


def test_a_header_says_which_column_holds_the_labels(file: Path) -> None:
    head = ",".join([*(f"p{place}" for place in range(36)), "class"])
    rows = [",".join([*map(str, image.ravel()), str(label)]) for image, label in zip(IMAGES, LABELS, strict=True)]
    file.write_text("\n".join([head, *rows]))

    assert_as_it_was(file)


def test_a_table_longer_than_a_block_comes_back_whole(file: Path) -> None:
    images, labels = drawings(rows=700, height=30, width=30)
    write_table(file, images, labels)
    write_table(file.with_name("test.csv"), images[:20], labels[:20])

    kept = stored.load(prepare(file).folder, "train")

    assert file.stat().st_size > 2 * CHUNK
    assert np.array_equal(kept[0], images)
    assert np.array_equal(kept[1], labels)


def test_kaggles_emnist_stands_upright_with_its_class_names(tmp_path: Path) -> None:
    source = at_hand("emnist47/emnist47-test-images-idx3-ubyte.gz") / "emnist47"
    lying = read(source / "emnist47-test-images-idx3-ubyte.gz", 3)[:2000]
    labels = read(source / "emnist47-test-labels-idx1-ubyte.gz", 1)[:2000]
    write_table(tmp_path / "emnist-balanced-train.csv", lying, labels)
    write_table(tmp_path / "emnist-balanced-test.csv.gz", lying, labels)
    (tmp_path / "emnist-balanced-mapping.txt").write_bytes((source / "emnist47-mapping.txt").read_bytes())

    prepared = prepare(tmp_path / "emnist-balanced-train.csv", test="emnist-balanced-test.csv.gz", transposed=True)

    images, _ = stored.load(prepared.folder, "train")
    assert np.array_equal(images, lying.transpose(0, 2, 1))
    assert prepared.class_names[10:12] == ("A", "B")


def test_the_mapping_of_another_table_names_nothing(file: Path) -> None:
    file.write_text(TEXT)
    file.with_name("emnist-mapping.txt").write_text("0 65\n1 66\n2 67\n3 68\n")

    assert prepare(file).class_names == ("0", "1", "2", "3")


def test_images_that_are_no_squares_need_a_size(file: Path) -> None:
    for name in (file, file.with_name("test.csv")):
        write_table(name, *drawings())

    with pytest.raises(DataRefused, match=r"line 1: 30 pixels a row are no square image\n.*data\.size"):
        prepare(file)
    assert prepare(file, size=[6, 5]).shape == (6, 5)


def test_without_a_test_table_a_share_is_held_out(file: Path) -> None:
    file.write_text(TEXT)

    assert (prepare(file, test=None).test_rows, prepare(file, test=0.5).test_rows) == (8, 20)


@pytest.mark.parametrize("given", [{"size": [28, 28, 1]}, {"test": 1.5}])
def test_options_that_cannot_be_meant_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ExperimentRefused, match=next(iter(given))):
        plugins.make("datasets", "csv", {"file": "own.csv"} | given)


# --- what is refused ---------------------------------------------------------------------------------

LINES = TEXT.splitlines()


def with_field(line: int, column: int, field: str) -> str:
    """The table with another field; both are counted from 1."""
    fields = LINES[line - 1].split(",")
    fields[column - 1] = field
    return "\n".join([*LINES[: line - 1], ",".join(fields), *LINES[line:]])


FIELDS = {
    "=cmd()": "line 7, column 4: '=cmd()' is no whole number from 0 to 255",
    "nan": "line 7, column 4: 'nan' is no whole number",
    "inf": "line 7, column 4: 'inf' is no whole number",
    "": "line 7, column 4: nothing is no whole number",
    "256": "line 7, column 4: '256' is no whole number from 0 to 255",
    "-1": "line 7, column 4: '-1' is no whole number",
    "0.5": "line 7, column 4: '0.5' is no whole number",
    "9" * 30: "line 7, column 4: '999999999999999999999999999999' is no whole number",
    "\x1b[2J": r"line 7, column 4: '\x1b[2J' is no whole number",
}


@pytest.mark.promise("63", "P19", "H40")
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_no_pixel_is_named_by_line_and_column(field: str, file: Path) -> None:
    file.write_text(with_field(7, 4, field))

    with pytest.raises(DataRefused) as refused:
        prepare(file)

    assert FIELDS[field] in str(refused.value)
    assert f"{file}: 1 fault\n" in str(refused.value)
    assert "sound rows per class: 0: 10, 1: 10, 2: 9, 3: 10" in str(refused.value)


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize("label", ["-1", "10000", "A", "nan", "1.5"])
def test_a_label_that_is_none_is_named_by_line_and_column(label: str, file: Path) -> None:
    file.write_text(with_field(3, 1, label))

    with pytest.raises(DataRefused, match=f"line 3, column 1: '{label}' is no whole number from 0 to 9,999"):
        prepare(file)


@pytest.mark.promise("63", "P19", "H40")
def test_the_first_five_faults_are_told_with_the_rows_until_there(file: Path) -> None:
    bad = ["1,2,3", *LINES[:9], "9" + LINES[2], LINES[3] + ",7", "x,y", "a", "b", "c"]
    file.write_text("\n".join([LINES[0], *bad]))

    with pytest.raises(DataRefused) as refused:
        prepare(file)

    assert str(refused.value).splitlines()[:-1] == [
        f"{file}: the first 5 faults",
        "  line 2: 3 columns, the first line has 37",
        "  line 13: 38 columns, the first line has 37",
        "  line 14: 2 columns, the first line has 37",
        "  line 15: 1 column, the first line has 37",
        "  line 16: 1 column, the first line has 37",
        "  sound rows per class, until there: 0: 4, 1: 2, 2: 2, 3: 2, 92: 1",
    ]


HEADERS = {
    "," + ",".join(map(str, range(36))): "line 1, column 1: no name, an index perhaps",
    ",".join(map(str, range(37))): "line 1: counts its columns, as data frames do",
    ",label," + ",".join(["p"] * 36): "line 1, column 1: no name, an index perhaps",
    ",".join(f"p{place}" for place in range(36)): "line 1: a header without a column of labels ('p0', 'p1', 'p2', …)",
    "Unnamed: 0,label," + ",".join(["p"] * 36): "line 1, column 1: 'unnamed: 0', an index perhaps",
    "id," + ",".join(["p"] * 36) + ",label": "line 1, column 1: 'id', an index perhaps",
    "label;pixel0;pixel1": "line 1: a single column, 'label;pixel0;pixel1'",
    "": "line 1: a single column, nothing",
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_cannot_be_read_is_said(header: str, file: Path) -> None:
    file.write_text(f"{header}\n{TEXT}")

    with pytest.raises(DataRefused) as refused:
        prepare(file)

    assert HEADERS[header] in str(refused.value)


def test_a_size_cuts_the_pixels_as_they_lie_and_then_they_are_stood_up(file: Path) -> None:
    file.write_text(TEXT)

    prepared = prepare(file, size=[4, 9], transposed=True)

    assert prepared.shape == (9, 4)
    assert np.array_equal(stored.load(prepared.folder, "train")[0], IMAGES.reshape(-1, 4, 9).transpose(0, 2, 1))


@pytest.mark.parametrize("line", [f"0,{TEXT}", TEXT.replace("\n", ",\n")])
def test_an_index_or_an_empty_column_without_a_header_is_said(line: str, file: Path) -> None:
    file.write_text(line)

    for size in (None, [4, 9]):
        with pytest.raises(DataRefused, match=r"line 1: 37 columns beside the label, one more than \d × \d pixels"):
            prepare(file, size=size)


@pytest.mark.parametrize("allowed", [False, True])
def test_a_table_with_its_labels_last_is_not_taken_for_one_of_one_class(file: Path, allowed: bool) -> None:
    dark = IMAGES * (np.arange(36).reshape(6, 6) > 0)
    lines = [",".join(map(str, [*image.ravel(), label])) for image, label in zip(dark, LABELS, strict=True)]
    file.write_text("\n".join(lines))

    with pytest.raises(DataRefused, match=r"of one class, '0'\n  labels are the first .* 'label'$"):
        prepare(file, allow_empty_class=allowed)


def test_a_table_within_an_archive_is_to_be_unpacked(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("own.csv", TEXT)

    with pytest.raises(DataRefused, match="is a zip archive, or a spreadsheet's own file\n  unpack it"):
        prepare(file)


def test_a_header_may_count_the_pixels(file: Path) -> None:
    file.write_text(f"label,{','.join(map(str, range(36)))}\n{TEXT}")

    assert prepare(file, test=None).digest == prepared_without_header(file).digest


def prepared_without_header(file: Path) -> Any:
    file.write_text(TEXT)
    return prepare(file, test=None)


@pytest.mark.promise("63", "P19")
def test_a_table_does_not_test_what_it_trains(file: Path) -> None:
    file.write_text(TEXT)

    with pytest.raises(DataRefused, match="would both train and test"):
        prepare(file, test=file.name)


@pytest.mark.promise("63", "P19")
@pytest.mark.parametrize("text", ["", table_text(IMAGES[:0], LABELS[:0], header=True)])
def test_a_table_without_rows_is_refused(text: str, file: Path) -> None:
    file.write_text(text)

    with pytest.raises(DataRefused, match="holds no rows"):
        prepare(file)


@pytest.mark.promise("63", "P19")
def test_rules_for_classes_hold_for_tables(file: Path) -> None:
    write_table(file, IMAGES, LABELS * 2)

    with pytest.raises(DataRefused, match="3 of 7 classes have no rows"):
        prepare(file, test=None)
    assert prepare(file, test=None, allow_empty_class=True).class_names == tuple("0123456")


def test_a_test_table_that_is_not_there_is_named(file: Path) -> None:
    file.write_text(TEXT)

    with pytest.raises(DataRefused, match=r"tset\.csv: there is no such file"):
        prepare(file, test="tset.csv")


def test_a_table_for_another_purpose_that_lies_beside_is_told_of(tmp_path: Path) -> None:
    for name in (
        "mnist_train.csv",
        "mnist_train.csv.gz",
        "mnist_Test.csv.gz",
        "mnist_valid.csv",
        "test.csv",
        "mnist.csv",
    ):
        (tmp_path / name).touch()
    table, test = tmp_path / "mnist_train.csv", "mnist_Test.csv.gz"

    assert Csv(table).left_out() == (
        f"warning: {tmp_path}: not read: mnist_Test.csv.gz, mnist_valid.csv\n  images to validate and to test on are "
        'taken from mnist_train.csv; data.test = "mnist_Test.csv.gz" would test on it, if it has labels'
    )
    assert "not read: mnist_valid.csv\n  images to validate on are taken" in Csv(table, test=test).left_out()
    assert Csv(tmp_path / "mnist.csv").left_out() == ""


FIELD = st.integers(0, 260).map(str) | st.integers(0, 12_000).map(str) | st.sampled_from(["", " 3", "x", "07", "1.0"])


@given(st.lists(st.lists(FIELD, min_size=2, max_size=4).map(",".join), max_size=6))
def test_all_at_once_and_line_by_line_come_to_the_same(lines: list[str]) -> None:
    layout = Columns(3, 0, (1, 2), header=False)
    one_by_one, together = Faults("one", ""), Faults("all", "")
    rows = [_row(place, line.encode(), layout, one_by_one) for place, line in enumerate(lines, 1) if line]

    found = numbers(Block(1, "".join(f"{line}\n" for line in lines).encode()), layout, together)

    sound = [row for row in rows if row]
    assert bool(one_by_one) == bool(together)
    assert together.enough or found.tolist() == sound
