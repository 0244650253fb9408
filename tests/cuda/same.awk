# Compares what two runs of steps.c printed: losses, and parameters relative to the largest; more than 1e-5 fails. How far parameters
# moved may differ by 1e-3 of the farthest: it is a small difference of rounded numbers.
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
    limit = $1 == "moved" ? 1e-3 : 1e-5
    if ($1 == "moved") moved = r; else if (r > worst) worst = r
    if (r > limit) { bad = 1; print model ": line " FNR " (" $1 ") is off by " r }
    seen = FNR
}
END {
    if (seen != lines) bad = 1
    if (!bad) printf "ok      %s: %d steps, largest difference %.1e, of what moved %.1e\n", model, lines - 2, worst, moved
    exit bad
}
