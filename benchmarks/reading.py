"""Measures `hpsearch predict` on many pictures: how many a second, and the most memory that all its processes take.

benchmarks/reading.py STUDY_OR_FOLDER --images TEST_IMAGES_IDX [--pictures 1000 10000]
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from PIL import Image

from hpsearch.datasets.idx_format import read

MB = 1_000_000
PAUSE = 0.25  # seconds between looks at the memory
SIDE = 84  # pixels of a picture


def main() -> None:
    """Write the pictures, read them, and print a line for each number of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--pictures", type=int, nargs="+", default=[1000, 10_000])
    words = parser.parse_args()
    print("pictures  seconds  pictures/s  first answer  peak memory  processor")
    for number in words.pictures:
        with TemporaryDirectory() as scratch:
            folder = Path(scratch) / "pictures"
            write(folder, words.images, number)
            print(measured(words.model, folder, number), flush=True)


def write(folder: Path, images: Path, number: int) -> None:
    """Write so many PNG files, dark on light, out of an IDX file of images."""
    folder.mkdir()
    known = read(images, 3)
    for place in range(number):
        picture = Image.fromarray(255 - known[place % len(known)])
        picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / f"{place:06}.png")


def measured(model: str, folder: Path, number: int) -> str:
    """Run the command over the folder; its figures as a line of the table."""
    answers = folder.parent / "answers.jsonl"
    began, first, peak, processor = time.monotonic(), 0.0, 0, 0.0
    with answers.open("wb") as out:
        command = [sys.executable, "-m", "hpsearch", "predict", model, str(folder), "--json"]
        process = psutil.Popen(command, stdout=out, stderr=subprocess.DEVNULL)
        while process.poll() is None:
            memory, spent = taken(process)
            peak, processor = max(peak, memory), max(processor, spent)
            if not first and answers.stat().st_size:
                first = time.monotonic() - began
            time.sleep(PAUSE)
    seconds = time.monotonic() - began
    told = [json.loads(line)["picture"] for line in answers.read_text(encoding="utf-8").splitlines()]
    if told != [str(file) for file in sorted(folder.iterdir())]:
        sys.exit("not every picture was answered once, in order")
    rate = number / (seconds - first)
    return f"{number:8,}  {seconds:7.1f}  {rate:10.0f}  {first:10.1f} s  {peak / MB:8.0f} MB  {processor:7.1f} s"


def taken(process: psutil.Popen) -> tuple[int, float]:
    """Memory that the process and all below it have for themselves or as their share (bytes), and processor seconds."""
    memory, spent = 0, 0.0
    for one in [process, *process.children(recursive=True)]:
        try:
            memory += one.memory_full_info().pss
            times = one.cpu_times()
            spent += times.user + times.system
        except psutil.Error:
            continue
    return memory, spent


if __name__ == "__main__":
    main()
