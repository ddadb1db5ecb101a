# Runs `glrnb` of R's package surveillance over many series.
#
# Arguments: a folder, the number of processes. Reads `series.csv` (series, monitored 0 or 1, cell,
# trials, count, mean, dispersion, down 0 or 1): hours in order, history first. `trials` is NA for
# counts, and the number of which `count` is a share otherwise; `mean` and `dispersion` are those by
# which the series was made. Writes `paths.csv`: series, variant, hour, statistic.
suppressMessages(library(surveillance))
suppressMessages(library(MASS))
arguments <- commandArgs(trailingOnly = TRUE)
setwd(arguments[1])
all <- read.csv("series.csv")

# The dispersion by maximum likelihood, 0 where it cannot be told from Poisson's.
dispersion <- function(count, mean) {
  theta <- suppressWarnings(tryCatch(
    as.numeric(theta.ml(count, mean, limit = 50)), error = function(e) Inf))
  if (is.finite(theta) && theta > 0 && theta < 500) 1 / theta else 0
}

statistic <- function(count, mean, alpha, down) {
  series <- suppressWarnings(
    create.disProg(week = seq_along(count), observed = count, state = rep(0, length(count))))
  as.numeric(algo.glrnb(series, control = list(
    range = seq_along(count), c.ARL = 1e99, mu0 = pmax(mean, 1e-3), alpha = alpha,
    dir = if (down) "dec" else "inc", ret = "value"))$upperbound)
}

one <- function(series) {
  history <- series[series$monitored == 0, ]
  now <- series[series$monitored == 1, ]
  if (is.na(history$trials[1])) {
    usual <- tapply(history$count, history$cell, mean)
    fitted <- as.numeric(usual[as.character(history$cell)])
    expected <- as.numeric(usual[as.character(now$cell)])
  } else {
    share <- sum(history$count) / sum(history$trials)
    fitted <- history$trials * share
    expected <- now$trials * share
  }
  keep <- fitted > 0
  alpha <- dispersion(history$count[keep], fitted[keep])
  down <- now$down[1] == 1
  result <- data.frame(series = now$series, variant = "fitted", hour = seq_along(now$count) - 1,
    statistic = statistic(now$count, expected, alpha, down))
  true <- now$dispersion[1]
  if (true == 0)
    result <- rbind(result, data.frame(
      series = now$series, variant = "told", hour = seq_along(now$count) - 1,
      statistic = statistic(now$count, now$mean, true, down)))
  result
}

results <- parallel::mclapply(
  split(all, all$series), one, mc.cores = as.integer(arguments[2]), mc.preschedule = FALSE)
failed <- Filter(function(result) inherits(result, "try-error"), results)
if (length(failed) > 0) stop(failed[[1]])
write.csv(do.call(rbind, results), "paths.csv", row.names = FALSE, quote = FALSE)
