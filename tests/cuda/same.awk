# Compares what two runs of steps.c printed: losses, and parameters relative to the largest; more than 1e-5 fails.
NR == FNR { line[FNR] = $0; lines = FNR; next }
{
    n = split(line[FNR], a, " ")
    if (n != NF || a[1] != $1) { print model ": line " FNR " differs in form"; bad = 1; exit 1 }
    most = 0; off = 0
    for (i = 2; i <= NF; i++) {
        if (a[i] != a[i] + 0 && a[i] + 0 == 0) { print model ": not a number"; bad = 1; exit 1 }
        d = a[i] - $i; if (d < 0) d = -d; if (d > off) off = d
        m = a[i] < 0 ? -a[i] : a[i]; if (m > most) most = m
    }
    r = most > 0 ? off / most : off
    if (r > worst) worst = r
    if (r > 1e-5) { bad = 1; print model ": line " FNR " (" $1 ") is off by " r }
    seen = FNR
}
END {
    if (seen != lines) bad = 1
    if (!bad) printf "ok      %s: %d steps, largest difference %.1e\n", model, lines - 1, worst
    exit bad
}
