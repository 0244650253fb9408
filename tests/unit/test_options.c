/* The command line: what each option sets, and one line for each mistake. */
#include "check.h"
#include "cli/command.h"
#include "interp/interp.h"
#include "ir/build.h"

enum { MOST = 24 };

/* Parses words separated by blanks; the messages go to `said`. */
static int parse(Command *c, const char *line, char said[400]) {
    char copy[400], *args[MOST];
    int n = 0;
    snprintf(copy, sizeof copy, "%s", line);
    FILE *err = tmpfile();
    command_new(c);
    for (char *s = strtok(copy, " "); s && n < MOST; s = strtok(NULL, " ")) args[n++] = arena_str(c->arena, s);
    int code = parse_command(c, n, args, err);
    rewind(err);
    said[fread(said, 1, 399, err)] = 0;
    fclose(err);
    return code;
}

static void accepted(void) {
    Command c;
    char said[400];
    CHECK(parse(&c, "m.onnx -o out.c -O3 --prefix=net --names=plain --weights object --max-bytes 2M --rename a=b",
                said) == EXIT_OK);
    CHECK(c.verb == verb_compile && !strcmp(c.opt.input, "m.onnx") && !strcmp(c.opt.output, "out.c") &&
          c.opt.level == 3);
    CHECK(!strcmp(c.opt.prefix, "net") && c.opt.plain_names && c.opt.weights == W_OBJECT && c.opt.max_bytes == 2 << 20);
    CHECK(c.opt.renames.n == 1 && !strcmp(((Rename *)c.opt.renames.at[0])->to, "b") && !*said);
    command_free(&c);
    CHECK(parse(&c, "verify m.onnx d1 d2 --rtol 0.5 --atol=2 --cc gcc --dim a=b=3 --dim n=1..64 --interpret", said) ==
          EXIT_OK);
    CHECK(c.verb == verb_verify && c.words.n == 3 && c.tol.rtol == 0.5 && c.tol.atol == 2 && c.run.interpret);
    const DimBinding *d = c.opt.dims.at[0], *e = c.opt.dims.at[1];
    CHECK(!strcmp(d->name, "a=b") && d->min == 3 && d->max == 3 && e->min == 1 && e->max == 64);
    command_free(&c);
    CHECK(parse(&c, "- -o -", said) == EXIT_OK && !strcmp(c.opt.input, "-") && !strcmp(c.opt.output, "-"));
    command_free(&c);
}

static void refused(void) {
    static const struct {
        const char *line, *said;
    } cases[] = {
        {"m --emti=c", "the nearest is '--emit'"},
        {"m --quux", "no option '--quux'; see nncc --help"},
        {"m --emit=exe", "has to be one of nn|c|h|cuda|dot|onnx"},
        {"m -O7", "-O0, -O1, -O2 or -O3"},
        {"m --prefix 9a", "C identifier"},
        {"m --prefix int", "keyword of C"},
        {"m --prefix a234567890123456789012345678901234567890", "at most 31"},
        {"m --prefix a;b", "C identifier"},
        {"m --dim batch", "name=N"},
        {"m --dim batch=0", "name=N"},
        {"m --dim batch=4..2", "name=N"},
        {"m --dim batch=99999999999999999999", "name=N"},
        {"m --const x", "NAME=FILE"},
        {"m --max-bytes 9999999999G", "too large"},
        {"m --max-bytes 3x", "number of bytes"},
        {"m --rtol abc", "number"},
        {"m --rtol nan", "number"},
        {"m --inline-data=3", "takes no value"},
        {"m --prefix", "needs a value"},
        {"m --seconds 0", "seconds"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        Command c;
        char said[400];
        CHECK(parse(&c, cases[i].line, said) == EXIT_USAGE);
        if (!strstr(said, cases[i].said)) fprintf(stderr, "%s: said %s", cases[i].line, said);
        CHECK(strstr(said, cases[i].said));
        const char *newline = strchr(said, '\n');
        CHECK(newline && !newline[1]);
        command_free(&c);
    }
}

static void prefixes(void) {
    static const struct {
        const char *name, *prefix;
    } cases[] = {
        {"mnist-8-cntk", "mnist_8_cntk"},
        {"MyNet", "MyNet"},
        {"8bit", "m_8bit"},
        {"int", "m_int"},
        {"", "m_"},
        {"_x", "m__x"},
        {"\xc3\xbc;x\"", "___x_"},
    };
    Arena *a = arena_new(0, NULL, NULL);
    for (int i = 0; i < COUNT(cases); i++) CHECK(!strcmp(make_prefix(a, cases[i].name), cases[i].prefix));
    CHECK(strlen(make_prefix(a, "0123456789012345678901234567890123456789")) <= 31);
    arena_free(a);
}

int main(void) {
    accepted(), refused(), prefixes();
    return failures();
}
