# Sums numbers on the executors through the driver's R backend, in the protocol that SparkR speaks: the
# package itself is in no registry that the tests reach.
big <- function(con, value) writeBin(as.integer(value), con, endian = "big")
word <- function(con, value) {
  big(con, nchar(value, type = "bytes") + 1)
  writeBin(value, con)
}
read_int <- function(con) readBin(con, integer(), n = 1, endian = "big")
read_word <- function(con) {
  bytes <- readBin(con, raw(), read_int(con))
  rawToChar(bytes[bytes != 0])
}
read_value <- function(con) {
  switch(rawToChar(readBin(con, raw(), 1)),
    j = structure(list(id = read_word(con)), class = "java"),
    d = readBin(con, double(), n = 1, endian = "big"),
    i = read_int(con),
    c = read_word(con),
    n = NULL)
}

backend <- socketConnection(port = as.integer(Sys.getenv("EXISTING_SPARKR_BACKEND_PORT")), blocking = TRUE,
                            open = "wb", timeout = 600)
word(backend, Sys.getenv("SPARKR_BACKEND_AUTH_SECRET"))
stopifnot(read_word(backend) == "ok")

call <- function(target, method, ...) {
  message <- rawConnection(raw(0), "r+")
  writeBin(as.integer(is.character(target)), message, endian = "big")
  word(message, if (is.character(target)) target else target$id)
  word(message, method)
  arguments <- list(...)
  big(message, length(arguments))
  for (argument in arguments) {
    if (is.character(argument)) {
      writeBin(charToRaw("c"), message)
      word(message, argument)
    } else {
      writeBin(charToRaw("i"), message)
      big(message, argument)
    }
  }
  bytes <- rawConnectionValue(message)
  close(message)
  big(backend, length(bytes))
  writeBin(bytes, backend)
  # One is only a sign of life.
  while ((status <- read_int(backend)) == 1) {}
  if (status != 0) stop(read_word(backend))
  read_value(backend)
}

builder <- call("org.apache.spark.sql.SparkSession", "builder")
session <- call(builder, "getOrCreate")
query <- sprintf("SELECT sum(id) FROM range(0, %s, 1, 4)", commandArgs(trailingOnly = TRUE)[1])
cat("the sum in R is", call(call(call(session, "sql", query), "head"), "getLong", 0L), "\n")
call(session, "stop")
