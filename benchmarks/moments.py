"""Features of millions of customers out of raw events: seconds, memory, and pandas beside it.

    python benchmarks/moments.py now --customers 1000000
    python benchmarks/moments.py as_of --customers 1000000 --rows 400000
    python benchmarks/moments.py now pandas --customers 200000
    python benchmarks/moments.py many pandas --customers 5000 --moments 100
    python benchmarks/moments.py observations --customers 2000000

``now`` and ``as_of`` compute features; ``observations`` is all of the node that makes training
rows: which assignments have a complete window, one drawn of each customer, outcomes with returns,
the division in time, features, one table. Each customer has 12 order lines, 12 sessions and 4
e-mails on average. Memory is the peak resident size of the process; tables are made beforehand, by
another.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results"
DEPARTMENTS = ("endurance", "strength", "water", "team", "backcountry", "racquet")
NOW = "2026-01-01"
DAYS = 730
ENGINE = ("now", "as_of", "many")
LISTED = ", ".join(f"'{name}'" for name in DEPARTMENTS)

TABLES = {
    "customers": """
        select md5(i::varchar) as customer_id,
            {now} - to_days(({days} + draw(i, 1, 2000))::int) as joined_at,
            ['north', 'south', 'east', 'west'][1 + draw(i, 2, 4)] as region,
            ['F', 'M', null][1 + draw(i, 3, 3)] as gender,
            (1940 + draw(i, 4, 65))::int as birth_year,
            ['blue', 'silver', 'gold', null][1 + draw(i, 5, 4)] as tier,
            {now} - to_days(({days} + draw(i, 6, 300))::int) as consented_at,
            case when draw(i, 7, 20) = 0 then {now} - to_days((draw(i, 8, 300))::int) end
                as opted_out_at
        from range({customers}) r(i)""",
    "transactions": """
        select 'O' || (i // 2)::varchar as order_id, (1 + i % 2)::int as line_number,
            md5(draw(i // 2, 11, {customers})::varchar) as customer_id,
            {now} - to_seconds(draw(i // 2, 12, {days} * 86400)) as ordered_at,
            [{departments}][1 + draw(i, 13, 6)] as department,
            'P' || draw(i, 14, 5000)::varchar as product_id,
            (case when draw(i, 15, 12) = 0 then -1 else 1 + draw(i, 16, 3) end)::int as quantity,
            (draw(i, 17, 9000) / 100)::double as unit_price,
            (case when draw(i, 18, 4) = 0 then draw(i, 17, 900) / 100 else 0 end)::double
                as discount,
            case when draw(i, 15, 12) = 0 then 'O0' end as returns_order_id
        from range({customers} * 12) r(i)""",
    "sessions": """
        select 'S' || i::varchar as session_id,
            md5(draw(i, 21, {customers})::varchar) as customer_id,
            {now} - to_seconds(draw(i, 22, {days} * 86400)) as started_at,
            (draw(i, 23, 3600))::double as duration_seconds, (1 + draw(i, 24, 30))::int as pages,
            [{departments}][1 + draw(i, 25, 6) : 1 + draw(i, 25, 6) + draw(i, 26, 2)]
                as departments_viewed,
            (draw(i, 27, 2))::int as carts_left
        from range({customers} * 12) r(i)""",
    "email_log": """
        select *, case when clicked_at is not null and draw(i, 36, 50) = 0 then clicked_at end
            as unsubscribed_at
        from (select *, case when draw(i, 35, 4) = 0 then opened_at + interval 1 minute end
                as clicked_at
            from (select i, 'A' || i::varchar as assignment_id,
                    md5(draw(i, 31, {customers})::varchar) as customer_id,
                    [{departments}, 'control'][1 + draw(i, 32, 7)] as message,
                    {now} - to_seconds(draw(i, 33, {days} * 86400)) as assigned_at,
                    draw(i, 32, 7) < 6 as sent, 1 / 7 as propensity,
                    case when sent and draw(i, 34, 3) = 0
                        then assigned_at + to_seconds((draw(i, 37, 200000))::bigint) end
                        as opened_at
                from range({customers} * {emails}) r(i)))""",
}


def make_tables(folder: Path, customers: int, emails: int) -> dict[str, Path]:
    """Write clean tables, once for each size; the same rows whenever they are made."""
    import duckdb

    place = folder / f"{customers}_{emails}"
    with duckdb.connect() as connection:
        connection.execute("set threads = 2; set memory_limit = '4GB'")
        connection.execute("set enable_progress_bar = false")
        connection.execute("set preserve_insertion_order = false")
        connection.execute(f"set temp_directory = '{folder / 'spill'}'")
        connection.execute("create macro draw(i, k, n) as (hash(i, k) % n::ubigint)::bigint")
        for name, query in TABLES.items():
            if (place / name).is_dir():
                continue
            sql = query.format(
                now=f"timestamp '{NOW}'",
                days=DAYS,
                customers=customers,
                emails=emails,
                departments=LISTED,
            )
            unfinished = place / f"unfinished-{name}"
            unfinished.mkdir(parents=True, exist_ok=True)
            connection.execute(
                f"copy (select * {'exclude (i)' if name == 'email_log' else ''} from ({sql})) "
                f"to '{unfinished / 'part-00000.parquet'}' (format parquet)"
            )
            unfinished.rename(place / name)
    return {name: place / name for name in TABLES}


def declared() -> tuple[Any, list[Any]]:
    """Settings of the base environment, and its features."""
    from pentathlon.moments import MomentSettings, expand_declarations

    path = PROJECT / "conf" / "base" / "parameters_moments.yml"
    settings = MomentSettings.model_validate(yaml.safe_load(path.read_text())["moments"])
    return settings, expand_declarations(settings.features, DEPARTMENTS, DEPARTMENTS)


def engine(what: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Features as of now for all customers, or as of the time of e-mails."""
    import ibis

    from pentathlon.moments.database import open_database
    from pentathlon.moments.settings import DatabaseSettings

    _, features = declared()
    folder = arguments.folder
    folders = make_tables_apart(arguments)
    settings = DatabaseSettings(memory_gib=arguments.memory_gib, threads=arguments.threads)
    started, cpu = time.perf_counter(), time.process_time()
    with open_database(settings, folder / "spill") as database:
        tables = database.read(folders)
        if what == "now":
            rows = tables["customers"].select("customer_id")
            rows = rows.mutate(moment=ibis.timestamp(NOW))
        else:
            log = tables["email_log"]
            rows = log.select("customer_id", moment=log.assigned_at)
            if what == "as_of":
                rows = rows.limit(arguments.rows)
        order = ibis.row_number().over(order_by=[rows.customer_id, rows.moment])
        rows = database.keep("rows", rows.mutate(row_id=order))
        output = folder / "features" / what
        shutil.rmtree(output, ignore_errors=True)
        effort = database.write_features(tables, rows, features, output)
    seconds = time.perf_counter() - started
    return {
        "what": what,
        "customers": arguments.customers,
        "rows": effort.rows,
        "features": len(features),
        "threads": arguments.threads,
        "memory_limit_gib": arguments.memory_gib,
        "passes": effort.passes,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_resident_gib": round(peak_gib(), 2),
        "spilled_gib": round(effort.spilled / 2**30, 2),
        "output_gib": round(sum(f.stat().st_size for f in output.iterdir()) / 2**30, 2),
    }


def observations(arguments: argparse.Namespace) -> dict[str, Any]:
    """Training rows from the clean tables to the file that the engine reads."""
    from pentathlon.moments.assemble import assemble_observations, load_parts

    settings, features = declared()
    folders = make_tables_apart(arguments)
    database = settings.database.model_copy(
        update={"memory_gib": arguments.memory_gib, "threads": arguments.threads}
    )
    settings = settings.model_copy(update={"database": database})
    scratch = arguments.folder / "observations"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    started, cpu = time.perf_counter(), time.process_time()
    made = assemble_observations(folders, features, settings, scratch)
    assembled, peak = time.perf_counter() - started, peak_gib()
    load_parts(made.folder).to_parquet(scratch / "moment_observations.parquet")
    return {
        "what": "observations",
        "customers": arguments.customers,
        "rows": made.summary["observations"],
        "assignments": made.summary["assignments"],
        "features": len(features),
        "threads": arguments.threads,
        "memory_limit_gib": arguments.memory_gib,
        "passes": made.summary["effort"]["passes"],
        "seconds": round(time.perf_counter() - started, 1),
        "seconds_until_assembled": round(assembled, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_resident_gib": round(peak_gib(), 2),
        "peak_resident_gib_until_assembled": round(peak, 2),
        "spilled_gib": round(made.summary["effort"]["spilled"] / 2**30, 2),
    }


def pandas_beside(arguments: argparse.Namespace) -> dict[str, Any]:
    """The same features by careful pandas, of the moments that the engine had right before."""
    import numpy as np
    import pandas as pd

    from moments_pandas import features_as_of

    _, features = declared()
    folders = make_tables_apart(arguments)
    parts = sorted((arguments.folder / "features" / arguments.beside).glob("*.parquet"))
    engine = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    rows = engine[["customer_id", "moment"]]
    before, cpu = time.perf_counter(), time.process_time()
    found = features_as_of(folders, features, rows)
    seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    differing = []
    for name in found.columns[1:]:
        left, right = engine[name].to_numpy(), found[name].to_numpy()
        numbers = found[name].dtype == np.float64
        same = np.allclose(left, right, 1e-9, 2e-4) if numbers else (left == right).all()
        differing += [] if same else [name]
    return {
        "what": f"pandas beside {arguments.beside}",
        "customers": arguments.customers,
        "rows": len(rows),
        "features": found.shape[1] - 1,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_resident_gib": round(peak_gib(), 2),
        "features_that_differ_from_the_engines": differing,
    }


def make_tables_apart(arguments: argparse.Namespace) -> dict[str, Path]:
    """Make the tables in another process, so that its memory is not counted."""
    emails = arguments.moments if "many" in (arguments.what, arguments.beside) else 4
    code = (
        f"import sys; sys.path.insert(0, {str(PROJECT / 'benchmarks')!r}); from pathlib import "
        f"Path; import moments; moments.make_tables(Path({str(arguments.folder)!r}), "
        f"{arguments.customers}, {emails})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    return make_tables(arguments.folder, arguments.customers, emails)


def peak_gib() -> float:
    """Peak resident size of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Measure and add to the results, each thing in a process of its own, for its own peak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=[*ENGINE, "observations", "pandas"])
    parser.add_argument("--beside", default="now", help="what pandas is held against")
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=80_000, help="moments of as_of")
    parser.add_argument("--moments", type=int, default=100, help="moments a customer, of many")
    parser.add_argument("--memory-gib", type=float, default=6.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "benchmarks" / "moments")
    arguments = parser.parse_args()
    if len(arguments.what) > 1:
        options = [a for a in sys.argv[1:] if a not in arguments.what]
        for before, what in zip(["now", *arguments.what], arguments.what, strict=False):
            command = [sys.executable, __file__, what, "--beside", before, *options]
            subprocess.run(command, check=True)
        return
    (arguments.what,) = arguments.what
    arguments.folder.mkdir(parents=True, exist_ok=True)
    results = RESULTS / "moments.json"
    held = json.loads(results.read_text()) if results.exists() else []
    if arguments.what == "pandas":
        result = pandas_beside(arguments)
        alike = {"what": arguments.beside} | {k: result[k] for k in ("customers", "rows")}
        for one in held:
            if alike.items() <= one.items():
                result["times_as_long"] = round(result["seconds"] / one["seconds"], 1)
    elif arguments.what == "observations":
        result = observations(arguments)
    else:
        result = engine(arguments.what, arguments)
    result["load_average"] = round(os.getloadavg()[0], 1)
    key = ("what", "customers", "rows")
    held = [one for one in held if any(one.get(k) != result.get(k) for k in key)]
    results.write_text(json.dumps([*held, result], indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
