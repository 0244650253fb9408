# Three classes of points in four dims, by simple rules; with a heading. usage: awk -v n=N -f points.awk
BEGIN {
    srand(3)
    print "a,b,c,d,class"
    for (i = 0; i < n; i++) {
        a = rand() * 2 - 1; b = rand() * 2 - 1; c = rand() * 2 - 1; d = rand()
        printf "%.6f,%.6f,%.6f,%.6f,%d\n", a, b, c, d, (a > 0.3 ? 0 : b + c > 0 ? 1 : 2)
    }
}
