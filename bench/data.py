"""How fast are shards made, and how fast are batches read from them, beside text in memory?

    python -m bench.data             # some minutes; writes build/bench_data.json too

Documents are lines of the built-in corpus, drawn by chance, 20 to 200 each. Times are of the processor, on one thread, so
that what else runs on the machine tells little; disks are not measured: what was written just now is still in memory.
"""

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"  # of the tokenizers library, before it is imported

from nlcore.tasks import builtin, tokenizers
from nlcore.tasks.batches import Batches
from nlcore.tasks.shard_batches import ShardBatches, cut
from nlcore.tasks.sharding import Plan, prepare

from bench.speed import keep

BATCH, CONTEXT = 32, 2048


def seconds(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def main(megabytes: int) -> dict[str, float]:
    """The table's rows, by name."""
    corpus, found = builtin(), {}
    lines, draw = [line for document in corpus.train for line in document.content.decode().splitlines(True)], random.Random(0)
    with tempfile.TemporaryDirectory() as place:
        source, size = Path(place) / "texts.jsonl", 0
        with open(source, "w", encoding="utf-8") as file:
            while size < megabytes * 1e6:
                text = "".join(draw.choices(lines, k=draw.randint(20, 200)))
                file.write(json.dumps({"text": text}) + "\n")
                size += len(text.encode())
        learnt = Path(place) / "tokenizer.json"
        tokenizers.save(tokenizers.make("bpe", corpus, 32_000), learnt)
        for kind in ("bytes", str(learnt)):
            out, name = Path(place) / f"shards-{Path(kind).stem}", "bytes" if kind == "bytes" else "BPE of 32,000"
            plan = Plan((str(source),), kind, shard_tokens=10_000_000)
            found[f"prepare, {name}: MB/s"] = size / 1e6 / seconds(lambda: prepare(plan, out, lambda line: None))
        stream = prepare(Plan((str(source),), "bytes", shard_tokens=10_000_000), Path(place) / "shards-bytes", print).stream("train")
        loaders = {
            "text in memory": Batches(stream[0 : len(stream)], BATCH, CONTEXT),
            "shards": ShardBatches(stream, BATCH, CONTEXT),
            "shards, spans at documents": ShardBatches(stream, BATCH, CONTEXT, spans="documents"),
        }
        for name, loader in loaders.items():
            found[f"batches of {BATCH} windows of {CONTEXT:,} a second, {name}"] = 200 / seconds(lambda: [loader.next() for _ in range(200)])
        spent = seconds(lambda: cut(stream, CONTEXT))
        spans = len(loaders["shards, spans at documents"].places)
        found["spans at documents: million found a second"] = spans / 1e6 / spent
        found["spans at documents: tokens read for each of the text"] = spans * CONTEXT / len(stream)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=40)
    rows = main(parser.parse_args().megabytes)
    print("\n".join(f"{name:70}{value:10,.2f}" for name, value in rows.items()))
    keep("data", rows)
