package org.apache.spark.examples;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/** Pi by throwing darts: the one argument is the number of partitions. */
public final class SparkPi {
  private static final int DARTS = 100_000;

  public static void main(String[] args) {
    int partitions = args.length > 0 ? Integer.parseInt(args[0]) : 2;
    try (JavaSparkContext spark = new JavaSparkContext(new SparkConf().setIfMissing("spark.app.name", "Spark Pi"))) {
      List<Integer> numbers = new ArrayList<>();
      for (int i = 0; i < partitions; i++) {
        numbers.add(i);
      }
      long hits = spark.parallelize(numbers, partitions).map(number -> hits()).reduce(Long::sum);
      System.out.println("Pi is roughly " + 4.0 * hits / ((double) DARTS * partitions));
    }
  }

  private static long hits() {
    long hits = 0;
    for (int i = 0; i < DARTS; i++) {
      double x = ThreadLocalRandom.current().nextDouble() * 2 - 1;
      double y = ThreadLocalRandom.current().nextDouble() * 2 - 1;
      if (x * x + y * y <= 1) {
        hits++;
      }
    }
    return hits;
  }
}
