/* nncc_log.c - what a run writes about itself: a line of csv for each epoch, events for TensorBoard, a picture of the
 * loss. */
#define _POSIX_C_SOURCE 200809L
#include "nncc_fit.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOG_LINE = 2048, LOG_PATH = 4096 };

typedef struct {
    double epoch, loss, val_loss; /* NAN: there is none */
} Point;

struct Log {
    const nncc_options *o;
    FILE *csv, *events[2]; /* of training, of validation */
    char names[LOG_LINE];  /* of the csv file's columns, "" before they are written */
    Point *point;
    int64_t n, room;
};

static int log_error(const char *path) { return fprintf(stderr, "cannot write '%s': %s\n", path, strerror(errno)), -1; }

/* ---- the csv file ---- */

static int add_point(Log *l, Point p) {
    if (l->n == l->room) {
        Point *more = realloc(l->point, (size_t)(l->room = 2 * l->room + 64) * sizeof *more);
        if (!more) return -1;
        l->point = more;
    }
    l->point[l->n++] = p;
    return 0;
}

/* Column i of a line; NAN: it has none. */
static double column(const char *line, int i) {
    for (; i > 0 && *line; i--) line += strcspn(line, ","), line += *line == ',';
    char *end;
    double v = strtod(line, &end);
    return i || end == line ? (double)NAN : v;
}

static int place_of_name(const char *names, const char *name) {
    size_t n = strlen(name);
    for (int i = 0; *names; i++) {
        size_t m = strcspn(names, ",\r\n");
        if (m == n && !memcmp(names, name, n)) return i;
        names += m, names += *names == ',';
        if (*names == '\n' || *names == '\r') break;
    }
    return INT16_MAX;
}

/* Lines of epochs that are still to come, or cut off, belong to a run that got further than its checkpoint. They are
 * the last ones; *size: of those before them. */
static int keep_lines(Log *l, FILE *from, int epoch, long *size) {
    char line[LOG_LINE];
    while (fgets(line, sizeof line, from) && strchr(line, '\n') && (!*l->names || column(line, 0) <= epoch)) {
        *size += (long)strlen(line);
        if (!*l->names)
            snprintf(l->names, sizeof l->names, "%s", line);
        else if (add_point(l, (Point){column(line, 0), column(line, place_of_name(l->names, "loss")),
                                      column(line, place_of_name(l->names, "val_loss"))}))
            return -1;
    }
    return ferror(from);
}

/* What is kept stays in its place: whatever ends the program leaves it there. */
static int open_csv(Log *l, int epoch) {
    const char *path = l->o->log;
    struct stat st;
    FILE *old = epoch && !stat(path, &st) && S_ISREG(st.st_mode) ? fopen(path, "r+") : NULL;
    long size = 0;
    l->csv = old ? old : fopen(path, "w");
    if (!l->csv) return log_error(path);
    if (!old) return 0;
    return keep_lines(l, old, epoch, &size) || fseek(old, size, SEEK_SET) || ftruncate(fileno(old), size)
               ? log_error(path)
               : 0;
}

static int put_csv(Log *l, int epoch, int64_t step, double lr, const Figures *f) {
    if (!*l->names) {
        size_t n = (size_t)snprintf(l->names, sizeof l->names, "epoch,step,lr");
        for (int i = 0; i < f->n && n < sizeof l->names; i++)
            n += (size_t)snprintf(l->names + n, sizeof l->names - n, ",%s", f->name[i]);
        fprintf(l->csv, "%s\n", l->names);
    }
    fprintf(l->csv, "%d,%lld,%.9g", epoch, (long long)step, lr);
    for (int i = 0; i < f->n; i++) fprintf(l->csv, ",%.9g", f->value[i]);
    fputc('\n', l->csv);
    return fflush(l->csv) ? log_error(l->o->log) : 0;
}

/* ---- TensorBoard: protocol buffers in records with a checksum each ---- */

typedef struct {
    unsigned char at[512];
    size_t n;
} Bytes;

static void put_byte(Bytes *b, unsigned v) {
    if (b->n < sizeof b->at) b->at[b->n++] = (unsigned char)v;
}

static void put_little(Bytes *b, uint64_t v, int n) {
    for (int i = 0; i < n; i++) put_byte(b, (unsigned)(v >> 8 * i & 255));
}

static void put_varint(Bytes *b, uint64_t v) {
    for (; v > 127; v >>= 7) put_byte(b, (unsigned)(v & 127) | 128);
    put_byte(b, (unsigned)v);
}

/* A field that holds bytes: its number and wire type, the length, the bytes. */
static void put_field(Bytes *b, int field, const void *p, size_t n) {
    put_byte(b, (unsigned)field << 3 | 2), put_varint(b, n);
    for (size_t i = 0; i < n; i++) put_byte(b, ((const unsigned char *)p)[i]);
}

static uint32_t masked_crc(const unsigned char *p, size_t n) {
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (0x82f63b78u & (0u - (c & 1)));
    }
    c = ~c;
    return (c >> 15 | c << 17) + 0xa282ead8u;
}

static void put_record(FILE *f, const Bytes *data) {
    Bytes head = {.n = 0}, tail = {.n = 0};
    put_little(&head, data->n, 8), put_little(&head, masked_crc(head.at, 8), 4);
    put_little(&tail, masked_crc(data->at, data->n), 4);
    fwrite(head.at, 1, head.n, f), fwrite(data->at, 1, data->n, f), fwrite(tail.at, 1, tail.n, f);
}

static void start_event(Bytes *b, double when) {
    uint64_t bits;
    memcpy(&bits, &when, 8);
    put_byte(b, 1 << 3 | 1), put_little(b, bits, 8);
}

static double wall_time(void) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void put_scalar(FILE *f, const char *tag, int64_t step, double v) {
    Bytes value = {.n = 0}, summary = {.n = 0}, event = {.n = 0};
    const float single = (float)v;
    uint32_t bits;
    memcpy(&bits, &single, 4);
    put_field(&value, 1, tag, strlen(tag)), put_byte(&value, 2 << 3 | 5), put_little(&value, bits, 4);
    put_field(&summary, 1, value.at, value.n);
    start_event(&event, wall_time());
    put_byte(&event, 2 << 3), put_varint(&event, (uint64_t)step);
    put_field(&event, 5, summary.at, summary.n);
    put_record(f, &event);
}

static int make_directory(const char *path) { return mkdir(path, 0777) && errno != EEXIST ? log_error(path) : 0; }

static int open_events(Log *l) {
    static const char *const part[] = {"train", "validation"};
    static const char version[] = "brain.Event:2";
    char path[LOG_PATH];
    if (make_directory(l->o->tensorboard)) return -1;
    for (int i = 0; i < 2; i++) {
        Bytes event = {.n = 0};
        snprintf(path, sizeof path, "%s/%s", l->o->tensorboard, part[i]);
        if (make_directory(path)) return -1;
        snprintf(path, sizeof path, "%s/%s/events.out.tfevents.%lld.nncc.%ld", l->o->tensorboard, part[i],
                 (long long)time(NULL), (long)getpid());
        if (!(l->events[i] = fopen(path, "ab"))) return log_error(path);
        start_event(&event, wall_time());
        put_field(&event, 3, version, strlen(version));
        put_record(l->events[i], &event);
    }
    return 0;
}

/* As Keras calls them, those of validation in a run of their own. */
static int put_events(Log *l, int epoch, double lr, const Figures *f) {
    char tag[FIGURE_NAME + 8];
    for (int i = 0; i < f->n; i++) {
        int of = !strncmp(f->name[i], "val_", 4);
        snprintf(tag, sizeof tag, "epoch_%s", f->name[i] + 4 * of);
        put_scalar(l->events[of], tag, epoch, f->value[i]);
    }
    put_scalar(l->events[0], "epoch_learning_rate", epoch, lr);
    return fflush(l->events[0]) || fflush(l->events[1]) ? log_error(l->o->tensorboard) : 0;
}

/* ---- the picture ---- */

enum { WIDTH = 720, HEIGHT = 400, LEFT = 70, TOP = 20, RIGHT = 20, BOTTOM = 50, TICKS = 5 };

typedef struct {
    double x0, x1, y0, y1;
} Range;

static void widen(Range *r, double x, double y) {
    if (!isfinite(y)) return;
    r->x0 = fmin(r->x0, x), r->x1 = fmax(r->x1, x), r->y0 = fmin(r->y0, y), r->y1 = fmax(r->y1, y);
}

static double across(const Range *r, double x) {
    return LEFT + (WIDTH - LEFT - RIGHT) * (r->x1 > r->x0 ? (x - r->x0) / (r->x1 - r->x0) : 0.5);
}

static double down(const Range *r, double y) {
    return TOP + (HEIGHT - TOP - BOTTOM) * (r->y1 > r->y0 ? (r->y1 - y) / (r->y1 - r->y0) : 0.5);
}

static void put_line(FILE *f, const Log *l, const Range *r, int val, const char *colour, const char *name) {
    int left = WIDTH - RIGHT - 110, row = TOP + 14 + 18 * val;
    fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" points=\"", colour);
    for (int64_t i = 0; i < l->n; i++) {
        double y = val ? l->point[i].val_loss : l->point[i].loss;
        if (isfinite(y)) fprintf(f, "%.1f,%.1f ", across(r, l->point[i].epoch), down(r, y));
    }
    fprintf(f, "\"/>\n<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", left, row, colour, name);
}

static void put_axes(FILE *f, const Range *r) {
    fprintf(f, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#999\"/>\n", LEFT, TOP,
            WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    for (int i = 0; i < TICKS; i++) {
        double x = r->x0 + (r->x1 - r->x0) * i / (TICKS - 1), y = r->y0 + (r->y1 - r->y0) * i / (TICKS - 1);
        fprintf(f, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.3g</text>\n", across(r, x), HEIGHT - BOTTOM + 18,
                x);
        fprintf(f, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n", LEFT - 8, down(r, y) + 4, y);
    }
    fprintf(f, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">epoch</text>\n", WIDTH / 2, HEIGHT - 8);
}

static int put_plot(const Log *l) {
    Range r = {INFINITY, -INFINITY, INFINITY, -INFINITY};
    FILE *f = fopen(l->o->plot, "w");
    if (!f) return log_error(l->o->plot);
    for (int64_t i = 0; i < l->n; i++)
        widen(&r, l->point[i].epoch, l->point[i].loss), widen(&r, l->point[i].epoch, l->point[i].val_loss);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" font-family=\"sans-serif\" "
            "font-size=\"12\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
            WIDTH, HEIGHT);
    if (r.x1 >= r.x0) {
        put_axes(f, &r);
        put_line(f, l, &r, 0, "#1f77b4", "training"), put_line(f, l, &r, 1, "#d62728", "validation");
    }
    fputs("</svg>\n", f);
    return fclose(f) ? log_error(l->o->plot) : 0;
}

/* ---- all ---- */

Log *nncc_log_new(const nncc_options *o, int epoch) {
    Log *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->o = o;
    if ((o->log && open_csv(l, epoch)) || (o->tensorboard && open_events(l)) || (o->plot && put_plot(l)))
        return nncc_log_free(l), NULL;
    return l;
}

int nncc_log_epoch(Log *l, int epoch, int64_t step, double lr, const Figures *f) {
    const double *loss = nncc_find_figure(f, "loss"), *val = nncc_find_figure(f, "val_loss");
    if (add_point(l, (Point){epoch, loss ? *loss : (double)NAN, val ? *val : (double)NAN})) return -1;
    if (l->csv && put_csv(l, epoch, step, lr, f)) return -1;
    if (l->events[0] && put_events(l, epoch, lr, f)) return -1;
    return l->o->plot ? put_plot(l) : 0;
}

void nncc_log_free(Log *l) {
    if (!l) return;
    if (l->csv) fclose(l->csv);
    for (int i = 0; i < 2; i++)
        if (l->events[i]) fclose(l->events[i]);
    free(l->point), free(l);
}
