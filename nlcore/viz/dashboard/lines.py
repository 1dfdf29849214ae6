"""A file of lines that grows: the lines that count, a bounded part at a time."""

from pathlib import Path

from nlcore.train.records import PART, SHAPES, Record, Tail, parsed


class Lines:
    """New records of one of a run's files.

    An attempt that resumes goes over steps that the one before had done: the older lines of those
    steps no longer count. A cut last line waits until it is whole.

    last: begin near the file's end, for who wants no more than its last record.

    Attributes:
        spoilt: whole lines that could not be read and were left out.
        more: whether the file held more than the last `poll` took.
    """

    def __init__(self, path: Path, last: bool = False) -> None:
        self.tail, self.shape, self.more = Tail(path, PART, end=last), SHAPES[path.name], False
        self.begins: dict[int, int] = {}
        """The step from which an attempt's lines replace those of older attempts."""
        self._rewind()

    def _rewind(self) -> None:
        self.spoilt, self.step, self.attempt = 0, 0, 0

    def poll(self) -> tuple[list[Record], bool]:
        """The next records, and whether to forget all that came before them."""
        lines = self.tail.lines()
        self.more = self.tail.more
        if self.tail.anew:
            self._rewind()
            self.begins = {}
        found: list[Record] = []
        for read in parsed(lines, self.shape):
            if read is None:
                self.spoilt += 1
            elif self._goes_back(read):
                self.tail.rewind()
                self._rewind()
                self.more = True
                return [], True
            elif all(read["step"] < begin for attempt, begin in self.begins.items() if attempt > read["attempt"]):
                self.step, self.attempt = read["step"], read["attempt"]
                found.append(read)
        return found, self.tail.anew

    def _goes_back(self, read: Record) -> bool:
        """Notes where an attempt begins; True if lines that were taken already are replaced by it."""
        if read["attempt"] <= self.attempt or read["attempt"] in self.begins:
            return False
        self.begins[read["attempt"]] = read["step"]
        return read["step"] <= self.step
