"""A file of lines that grows: the lines that count, a bounded part at a time."""

from pathlib import Path

from nlcore.train.records import SHAPES, Record, opened, record

PART = 1 << 20
"""Bytes read at once."""


class Lines:
    """New records of one of a run's files.

    An attempt that resumes goes over steps that the one before had done: the older lines of those
    steps no longer count. A cut last line waits until it is whole.

    Attributes:
        spoilt: whole lines that could not be read and were left out.
        more: whether the file held more than the last `poll` took.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.shape, self.more = path, SHAPES[path.name], False
        self.begins: dict[int, int] = {}
        """The step from which an attempt's lines replace those of older attempts."""
        self._rewind()

    def _rewind(self) -> None:
        self.offset, self.spoilt, self.step, self.attempt = 0, 0, 0, 0

    def poll(self) -> tuple[list[Record], bool]:
        """The next records, and whether to forget all that came before them."""
        lines, again = self._read()
        found: list[Record] = []
        for line in lines:
            read = record(line, self.shape)
            if read is None:
                self.spoilt += 1
            elif self._goes_back(read):
                self._rewind()
                self.more = True
                return [], True
            elif all(read["step"] < begin for attempt, begin in self.begins.items() if attempt > read["attempt"]):
                self.step, self.attempt = read["step"], read["attempt"]
                found.append(read)
        return found, again

    def _read(self) -> tuple[list[bytes], bool]:
        self.more, again = False, False
        file = opened(self.path)
        if file is None:
            return [], False
        with file:
            size = file.seek(0, 2)
            if size < self.offset:  # another file under the same name
                self._rewind()
                self.begins, again = {}, True
            file.seek(self.offset)
            data = file.read(PART)
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == PART:  # no line of ours is that long
            whole, data = PART, b"spoilt"
        self.offset += whole
        self.more = self.offset < size and whole > 0
        return [line for line in data[:whole].split(b"\n") if line.strip()], again

    def _goes_back(self, read: Record) -> bool:
        """Notes where an attempt begins; True if lines that were taken already are replaced by it."""
        if read["attempt"] <= self.attempt or read["attempt"] in self.begins:
            return False
        self.begins[read["attempt"]] = read["step"]
        return read["step"] <= self.step
