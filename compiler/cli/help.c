/* help.c - --help, from the rows of options. */
#include "cli/options.h"

enum { NAME_COLUMN = 26, PAGE_WIDTH = 100 };

/* Prints text from a column on, broken at blanks. */
static void print_wrapped(const char *text, int column) {
    int at = column;
    for (const char *s = text; *s; s += *s == ' ') {
        int n = (int)strcspn(s, " ");
        if (at > column && at + 1 + n > PAGE_WIDTH)
            printf("\n%*s", column, ""), at = column;
        else if (at > column)
            putchar(' '), at++;
        printf("%.*s", n, s);
        at += n, s += n;
    }
    putchar('\n');
}

static void print_row(const char *head, const char *doc) {
    if ((int)strlen(head) > NAME_COLUMN - 4)
        printf("  %s\n%*s", head, NAME_COLUMN, "");
    else
        printf("  %-*s", NAME_COLUMN - 2, head);
    print_wrapped(doc, NAME_COLUMN);
}

static void print_flag(const Flag *f) {
    char head[80];
    const char *gap = !f->arg || *f->arg == '[' || !strcmp(f->name, "-O") ? "" : f->name[1] == '-' ? "=" : " ";
    snprintf(head, sizeof head, "%s%s%s", f->name, gap, f->arg ? f->arg : "");
    print_row(head, f->doc);
}

int verb_help(Command *c) {
    (void)c;
    puts("nncc compiles a neural network (.onnx, or its own .nn text) to readable, standalone C.\n");
    for (const Verb *v = verbs; v->name && !v->later; v++) {
        char head[80];
        snprintf(head, sizeof head, "nncc %s%s%s", v == verbs ? "" : v->name, v == verbs ? "" : " ", v->words);
        print_row(head, v->doc);
    }
    puts("\nMODEL is a file, or - for standard input. Its format is recognised by its contents.");
    for (const Flag *f = flags; f->name || f->doc; f++)
        if (!f->name)
            printf("\n%s\n", f->doc);
        else if (f->doc)
            print_flag(f);
    puts("\nExit status: 0 success; 1 an error in the input, or a failed verify; 2 an error in the command line;\n"
         "3 something in the model is not supported; 70 an internal error of nncc.");
    return EXIT_OK;
}
