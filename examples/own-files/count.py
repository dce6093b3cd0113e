"""Count the words of a poem, on the driver and on an executor, with a module and a file that are sent along."""

from pyspark import SparkFiles
from pyspark.sql import SparkSession

from words import words_of


def count(_):
    with open(SparkFiles.get("poem.txt"), encoding="utf-8") as poem:
        return len(words_of(poem.read()))


if __name__ == "__main__":
    spark = SparkSession.builder.getOrCreate()
    counted = spark.sparkContext.parallelize([0], 1).map(count).first()
    print(f"words: {counted}, on the driver: {count(None)}")
    spark.stop()
