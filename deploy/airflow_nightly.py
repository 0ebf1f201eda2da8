"""The nightly run in Airflow 3: score on Spark, check, hand over what is to be sent.

Put this file into the folder of DAGs. It needs the providers ``standard`` and ``apache-spark``, a
connection ``spark_default``, and the variables ``pentathlon_project`` (folder of the project),
``pentathlon_data`` (data root with the engine that training saved), ``pentathlon_lake`` (where
customers and decisions lie) and ``pentathlon_send`` (the command that hands over decisions).
"""

from datetime import datetime, timedelta

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PROJECT = "{{ var.value.pentathlon_project }}"
LAKE = "{{ var.value.pentathlon_lake }}"
NIGHT = "{{ ds }}"
PARAMETERS = {
    "data_root": "{{ var.value.pentathlon_data }}",
    "customers_to_score": LAKE + "/customers/day=" + NIGHT,
    "scored_decisions": LAKE + "/scored/day=" + NIGHT,
    "campaign.date": NIGHT,
}

with DAG(
    dag_id="pentathlon_nightly",
    schedule="30 1 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={
        "retries": 1,
        "retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=3),
    },
):
    # Fails when scores are not those of the training data or too many rows are unusable, and then
    # nothing is sent.
    score = SparkSubmitOperator(
        task_id="score",
        conn_id="spark_default",
        application=PROJECT + "/deploy/kedro_run.py",
        application_args=[
            *("--env", "spark", "--pipelines", "scoring"),
            *("--params", ",".join(name + "=" + value for name, value in PARAMETERS.items())),
        ],
        conf={
            "spark.executor.instances": "16",
            "spark.executor.cores": "8",
            "spark.executor.memory": "8g",
            "spark.executor.memoryOverhead": "8g",
            "spark.driver.memory": "4g",
            "spark.driver.maxResultSize": "2g",
            "spark.sql.files.maxPartitionBytes": "4m",
        },
        archives=PROJECT + "/build/environment.tar.gz#environment",
        env_vars={"PYSPARK_PYTHON": "./environment/bin/python"},
    )
    send = BashOperator(
        task_id="send",
        bash_command="{{ var.value.pentathlon_send }} " + PARAMETERS["scored_decisions"],
    )
    score >> send
