#!/bin/bash
# How Spark's pods start: `driver …` and `executor` are Spark's, anything else is run as it is.
set -e

# A user that the pod made up has no name, and Hadoop will not run without one.
if ! whoami >/dev/null 2>&1 && [ -w /etc/passwd ]; then
  echo "$(id -u):x:$(id -u):$(id -g):${SPARK_USER_NAME:-anonymous uid}:$SPARK_HOME:/bin/false" >>/etc/passwd
fi

classpath="$SPARK_CLASSPATH:$SPARK_HOME/jars/*"
if [ -n "$SPARK_EXTRA_CLASSPATH" ]; then classpath="$classpath:$SPARK_EXTRA_CLASSPATH"; fi
if [ -n "$HADOOP_CONF_DIR" ]; then classpath="$HADOOP_CONF_DIR:$classpath"; fi
classpath="${SPARK_CONF_DIR:-$SPARK_HOME/conf}:$classpath"

# Spark 3.0 says which Python by its major version only.
case "$PYSPARK_MAJOR_PYTHON_VERSION" in
  2) export PYSPARK_PYTHON="${PYSPARK_PYTHON:-python2}" PYSPARK_DRIVER_PYTHON="${PYSPARK_DRIVER_PYTHON:-python2}" ;;
  3) export PYSPARK_PYTHON="${PYSPARK_PYTHON:-python3}" PYSPARK_DRIVER_PYTHON="${PYSPARK_DRIVER_PYTHON:-python3}" ;;
esac

case "$1" in
  driver)
    shift
    # Spark gives an API server ten seconds to answer, which on a busy machine a JVM that starts takes for itself.
    export SPARK_SUBMIT_OPTS="-Dspark.kubernetes.driver.connectionTimeout=120000 -Dspark.kubernetes.driver.requestTimeout=120000 $SPARK_SUBMIT_OPTS"
    set -- "$SPARK_HOME/bin/spark-submit" \
      --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \
      --conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS" \
      --deploy-mode client "$@"
    ;;
  executor)
    shift
    options=()
    while IFS= read -r name; do
      options+=("${!name}")
    done < <(compgen -e | grep -E '^SPARK_JAVA_OPT_[0-9]+$' | sort -t_ -k4 -n || true)
    backend=$(cat /opt/spark-executor-backend)
    set -- "$JAVA_HOME/bin/java" "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \
      -cp "$classpath:$SPARK_DIST_CLASSPATH" "$backend" \
      --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
      --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" "$@"
    # What later versions tell their executors.
    if [ -n "$SPARK_RESOURCE_PROFILE_ID" ]; then set -- "$@" --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID"; fi
    if [[ "$backend" == *.KubernetesExecutorBackend ]]; then set -- "$@" --podName "$SPARK_EXECUTOR_POD_NAME"; fi
    ;;
  *)
    exec "$@"
    ;;
esac
exec tini -s -- "$@"
