"""Write a simulated retailer's tables, one block of customers after another."""

from __future__ import annotations

import json
import logging
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pentathlon.simulation.events_dirt import DIRT, add_dirt
from pentathlon.simulation.events_settings import EventsConfig
from pentathlon.simulation.events_tables import block_tables, products_table
from pentathlon.simulation.events_timeline import BLOCK, draw_block
from pentathlon.simulation.events_write import SUMMARY
from pentathlon.simulation.world import build_world

logger = logging.getLogger(__name__)


def write_events(config: EventsConfig, folder: Path) -> None:
    """Write the tables of a simulated retailer.

    Parameters
    ----------
    config : EventsConfig
    folder : Path
        Gets a folder of Parquet files for each of ``customers``, ``transactions``,
        ``sessions``, ``email_log``, ``products``, ``truth`` and ``truth_now``, and `SUMMARY`.
        The rows are the same whatever ``customers_per_file`` is.
    """
    world = build_world(config.effects, config.strength)
    counts: Counter[str] = Counter()
    dirt: dict[str, Counter[str]] = {name: Counter() for name in DIRT}
    rng = np.random.default_rng([config.seed, 4])
    products, added = add_dirt(
        products_table(config), "products", config.dirty_rate, rng, "products"
    )
    dirt["products"].update(added)
    counts["products"] = len(products)
    (folder / "products").mkdir(parents=True)
    pq.write_table(products, folder / "products" / "part-00000.parquet")
    blocks = -(-config.customers // BLOCK)
    per_file = max(1, config.customers_per_file // BLOCK)
    for file, start in enumerate(range(0, blocks, per_file)):
        writers: dict[str, pq.ParquetWriter] = {}
        try:
            for number in range(start, min(start + per_file, blocks)):
                block = draw_block(config, world, number)
                tables = block_tables(config, world, block, number)
                rng = np.random.default_rng([config.seed, number, 5])
                for name, clean in tables.items():
                    table = clean
                    if name in DIRT:
                        table, added = add_dirt(clean, name, config.dirty_rate, rng, str(number))
                        dirt[name].update(added)
                    counts[name] += len(table)
                    _append(writers, folder, name, file, table)
        finally:
            for writer in writers.values():
                writer.close()
        done = min((start + per_file) * BLOCK, config.customers)
        logger.info("Simulated %s of %s customers.", f"{done:,}", f"{config.customers:,}")
    summary = {
        "exported_at": config.exported_at.isoformat(),
        "rows": dict(counts),
        "bad_rows": {name: dict(kinds) for name, kinds in dirt.items()},
    }
    text = json.dumps(summary, indent=2) + "\n"
    (folder / SUMMARY).write_text(text, encoding="utf-8")


def _append(
    writers: dict[str, pq.ParquetWriter], folder: Path, name: str, file: int, table: pa.Table
) -> None:
    if name not in writers:
        (folder / name).mkdir(parents=True, exist_ok=True)
        path = folder / name / f"part-{file:05d}.parquet"
        writers[name] = pq.ParquetWriter(path, table.schema, compression="zstd")
    writers[name].write_table(table)
