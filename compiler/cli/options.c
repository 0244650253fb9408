/* options.c - every verb and option of the command line is one row; parsing, hints and --help follow from the rows. */
#include "cli/options.h"

const Verb verbs[] = {
    {"compile", "MODEL -o model.c", "compile the model to C", verb_compile, .bit = COMPILE},
    {"summary", "MODEL...", "print its steps, shapes, parameters, multiply-adds and memory", verb_summary, .more = true,
     .bit = SUMMARY},
    {"check", "MODEL...", "list everything in it that is not supported; exit status 3 if there is any", verb_check,
     .more = true, .bit = CHECK},
    {"verify", "MODEL [DIR...]",
     "compile, run the test_data_set_* in DIR and compare outputs; without DIR: compare random inputs with nncc's "
     "reference, naive loop nests in double, compiled and interpreted",
     verb_verify, .more = true, .bit = VERIFY},
    {"run", "MODEL", "run it once on --input files", verb_run, .bit = RUN},
    {"bench", "MODEL", "time each step of the generated C on random inputs", verb_bench, .on_cpu = true, .bit = BENCH},
    {"train", "MODEL --data PATH", "train it; -o trained.onnx writes the trained network", verb_train, .trains = true,
     .bit = TRAIN},
    {"gradcheck", "MODEL", "compare its gradients with finite differences, in double", verb_gradcheck, .trains = true,
     .bit = GRADCHECK},
    {"eval", "MODEL --data PATH", "print its loss and metrics on data", verb_eval, .trains = true, .bit = EVAL},
    {"predict", "MODEL --data PATH", "write its outputs for each example of data into --output files", verb_predict,
     .trains = true, .bit = PREDICT},
    {.name = "init", .later = true},
    {.name = "quantize", .later = true},
    {.name = "report", .later = true},
    {.name = "diff", .later = true},
    {.name = "fmt", .later = true},
    {.name = NULL},
};

static const char target_words[] =
#define TARGET(id, ...) #id "|"
#include "targets.def"
#undef TARGET
    "native";

/* A row without a name is a heading of --help. */
const Flag flags[] = {
    {NULL, NULL, NULL, 0, 0, "Output"},
    {"-o", "FILE", set_text, AT(opt.output), COMPILE | TRAIN,
     "the C file; header and weights are written beside it under the same name. With --emit: the file for that text (- "
     "or absent: standard output)"},
    {"--emit", "nn|c|h|cuda|dot|onnx", set_word, AT(opt.emit), COMPILE,
     "write one thing instead: the network as .nn text, the C, the header, the CUDA kernels, a Graphviz drawing, or an "
     "ONNX file"},
    {"--prefix", "NAME", set_prefix, AT(opt.prefix), COMPILE,
     "prefix of every exported C name; default: from the file's name. It does not change file names"},
    {"--names", "model|plain", set_second, AT(opt.plain_names), COMPILE | BUILDING,
     "C identifiers from the model's names (default), or numbered ones; then the model's names appear in one table "
     "alone"},
    {"--rename", "OLD=NEW", push_pair, AT(opt.renames), COMPILE | CHECK | VERIFY,
     "C name of an input or output; may be given several times"},
    {"--weights", "auto|embed|file|object", set_weights, 0, GENERATING & ~ON_DATA,
     "where weights are stored: embed, as literals in the C; file, a .weights file that the caller loads; object, an "
     "assembly file that links it in; auto: embed up to 256 KB, else file"},
    {"--target", target_words, set_target, 0, GENERATING,
     "what to generate code for (see --list-targets): auto, C that runs with the best vectors of the machine; c, "
     "portable C alone; C with vectors of one instruction set (native: this machine's); CUDA kernels"},
    {"--poison", NULL, set_true, AT(opt.poison), COMPILE | BUILDING,
     "instrument for AddressSanitizer: a buffer is poisoned outside its lifetime; with --target=cuda: run emulated, "
     "with checks for races and bounds"},
    {"--inline-data", NULL, set_true, AT(opt.inline_data), COMPILE,
     "with --emit=nn: keep large tensors in the text instead of FILE.weights", .with = WITH_NN},

    {NULL, NULL, NULL, 0, 0, "Shapes and external inputs"},
    {"--dim", "NAME=N|NAME=1..N[:STEP]", push_dim, AT(opt.dims), ALL,
     "extent of a named dimension; a range makes it an argument of the C functions, with memory for N; STEP: "
     "multiples of it. INPUT:AXIS in "
     "place of NAME is the dimension that lies there, * all that nothing else gives. Without it, a "
     "dimension that is outermost everywhere (the batch) is 1; in training 1..64, or what the train line says; verify "
     "and run take it from the data"},
    {"--io", "float|quantized", set_second, AT(opt.quantized_io), GENERATING & ~ON_DATA,
     "quantized: where an input goes into a QuantizeLinear alone, and an output comes from a DequantizeLinear, the C "
     "takes and gives the integers; the header says what they mean",
     .with = WITHOUT_TRAIN},
    {"--const", "NAME=FILE", push_pair, AT(opt.consts), ALL,
     "fix the value of an input that shapes depend on (.pb, .npy); it is then no longer an input"},
    {"--bound", "NAME=N", push_pair, AT(opt.bounds), ALL,
     "of an input that is a sequence, how many tensors it holds, which become the inputs NAME_0, NAME_1 …, or whether "
     "an "
     "optional one is there, 1 or 0; of integers that shapes follow from, the most that each can be (LEAST..N: and the "
     "least); of a result whose size the data tells, the most that there can be. Data beyond it is P_E_BOUND"},
    {"--input-initializers", "PATTERN", push_text, AT(opt.initializer_inputs), ALL,
     "turn initializers that are also listed as inputs into inputs without a default"},
    {"--outputs", "NAME,NAME...", push_names, AT(opt.outputs), GENERATING & ~ON_DATA,
     "a part of the network: these values, any of the model's, are the outputs, and what they do not need is left out",
     .with = WITHOUT_TRAIN},
    {"--external-data", "DIR", set_text, AT(opt.external_data), ALL,
     "where tensors that the model keeps in other files are, if not in its own directory"},
    {"--channel-blocks", "8|16", set_word, AT(opt.channel_blocks), ALL,
     "how many channels lie together in a model that ONNX Runtime saved with all optimizations, if it does not say: 16 "
     "where it was saved on a machine with AVX-512, else 8"},
    {"--max-bytes", "N", set_bytes, AT(opt.max_bytes), ALL,
     "limit of memory while compiling (k, M, G); default: 12 times the files of the model, at least 256M"},
    {"--string-bytes", "N", set_bytes, AT(opt.string_bytes), GENERATING,
     "bytes that a string of an input may have, with its NUL (64)"},
    {"--max-ram", "N", set_bytes, AT(opt.max_ram), ALL,
     "most RAM that a call of the generated C may need for arena, inputs and outputs (k, M): recurrent layers go "
     "through their steps in segments, which the backward pass computes again, until it is enough, or it is an error. "
     "Weights (constant, in flash on a microcontroller) and the stack do not count"},

    {NULL, NULL, NULL, 0, 0, "Compilation"},
    {"-O", "0..3", set_level, 0, GENERATING,
     "-O0 naive loop nests, -O1 graph passes, memory planning and what vectorises of plain loops, -O2 loop schedules "
     "(default), -O3 also what grows the code"},
    {"--real", "f32|f64", set_second, AT(opt.real_f64), GENERATING, "f64: compute every float of the model in double"},
    {"--fast-half", NULL, set_true, AT(opt.fast_half), GENERATING,
     "round f16 and bf16 only where they are stored, not after every operator: faster, and more precise than the model "
     "specifies"},
    {"--no-templates", NULL, set_true, AT(opt.no_templates), GENERATING, "no tiled kernels: plain loop nests"},
    {"--no-winograd", NULL, set_true, AT(opt.no_winograd), GENERATING,
     "3x3 convolutions without Winograd's fewer multiplications: slower; errors below 1e-6 of the largest result, not "
     "1e-5"},
    {"--passes", "LIST|none", set_text, AT(opt.passes), ALL, "run only these passes, and the required ones"},
    {"--off", "LIST", set_text, AT(opt.off), ALL, "switch off these passes and schedules"},

    {NULL, NULL, NULL, 0, 0, "Debugging"},
    {"--print-ir-after", "PASS|all", set_text, AT(opt.print_after), ALL, "print the network as .nn text after a pass"},
    {"--print-ir-after-change", NULL, set_true, AT(opt.print_change), ALL, "print it after every pass that changed it"},
    {"--print-nest-after", "SCHEDULE|all", set_text, AT(opt.print_nest), ALL,
     "print each loop nest as C after a schedule"},
    {"--explain", "NODE", set_text, AT(explain), COMPILE,
     "which kernel computes a node, what is fused into it, and what prevented more"},
    {"--time-passes", NULL, set_true, AT(opt.time_passes), ALL, "print how long each pass took"},

    {NULL, NULL, NULL, 0, 0, "Training"},
    {"--loss", "NAME", set_loss, 0, TRAINING | GRADCHECK, "the loss to minimise (see --list-losses)",
     .with = WITH_TRAIN},
    {"--add-loss", "TEXT", push_text, AT(opt.added_losses), TRAINING | GRADCHECK,
     "is added to the loss, such as '0.001 * L2(\"*.weight\")', of parameters by patterns; may be given several times",
     .with = WITH_TRAIN},
    {"--class-weights", "frequency", set_weigh, 0, TRAIN,
     "weights of the loss for each class, so that rare ones count as much as frequent ones: examples / (classes * "
     "those of "
     "the class)"},
    {"--data", "PATH|NAME=FILE", push_text, AT(data), ON_DATA,
     "data: an npz, csv or text file, or a directory of npy files, idx files, CIFAR binaries, or folders of PNG "
     "pictures "
     "by class. NAME=FILE: an npy or idx file, or a folder of pictures, for one input or target; may be given several "
     "times"},
    {"--validation", "PART|PATH", push_text, AT(validation), TRAIN,
     "data that is not trained on: a part of it such as 0.2, taken evenly, or last:0.2; 0: none; or files, as for "
     "--data. "
     "Default: the data's own, else 0.1"},
    {"--text", "chars|words", set_word, AT(text), ON_DATA,
     "data files are texts, of which the network learns what comes next; default: chars where they end in .txt"},
    {"--columns", "NAME=A,B...", push_text, AT(columns), ON_DATA,
     "the columns of a csv file for an input or target; default: those with its name, else by their order"},
    {"--classes", "NAME=A,B...", push_text, AT(classes), ON_DATA,
     "what the classes of a target are called in the data, class 0 first, as in mask=0,255"},
    {"--start-from", "FILE", set_text, AT(start_from), ON_DATA,
     "parameters to begin with, by name and shape: a checkpoint, another safetensors file, or an ONNX model. train: "
     "those "
     "that are not there begin anew"},
    {"--head", "PATTERN[=N]", push_head, AT(opt.heads), TRAIN,
     "parameters with these names (* and ? match) begin anew; with =N they are for N classes, of an ONNX model, too; "
     "may be "
     "given several times"},
    {"--sample", "N", set_count, AT(sample), PREDICT,
     "without --data: write a text of N characters or words more than --prompt, of a network that was trained on text"},
    {"--prompt", "TEXT", set_text, AT(prompt), PREDICT,
     "with --sample: how the text begins (default: with a new line)"},
    {"--temperature", "X", set_number, AT(temperature), PREDICT,
     "with --sample: scores are divided by it before a piece is drawn (1); at 0 the likeliest one is taken"},
    {"--epochs", "N", set_count, AT(epochs), TRAIN,
     "number of passes over the data (default: from the train line, else 1)"},
    {"--seed", "N", set_count, AT(seed), TRAIN | PREDICT,
     "seed of initial parameters, data order and dropout, or of --sample (default: from the train line, else 1)"},
    {"--checkpoint", "FILE", set_text, AT(checkpoint), TRAIN, "safetensors file written after every epoch"},
    {"--resume", NULL, set_true, AT(resume), TRAIN,
     "continue from --checkpoint; the result equals that of a run without interruption, bit for bit"},
    {"--checkpoint-every", "N", set_count, AT(every), TRAIN, "write it after every N epochs only"},
    {"--metrics", "A,B...", set_text, AT(metrics), TRAIN | EVAL,
     "figures of the data that is not trained on, after each epoch (see --list-metrics); default: from the train line"},
    {"--augment", "A,B...", set_text, AT(augment), TRAIN,
     "change examples at random while they are trained on: flip, crop=4, shift=2, rotate=10, cutout=8 of pictures and "
     "their masks, noise=0.1, mixup=0.2"},
    {"--patience", "N", set_count, AT(patience), TRAIN, "end after N epochs in which --monitor did not get better"},
    {"--keep-best", NULL, set_true, AT(keep_best), TRAIN,
     "keep the parameters of the best epoch by --monitor, in CHECKPOINT.best too"},
    {"--monitor", "FIGURE", set_text, AT(monitor), TRAIN,
     "the figure that is watched, such as val_accuracy (val_loss; loss where nothing is held out)"},
    {"--plateau", "FACTOR:N", set_plateau, AT(plateau), TRAIN,
     "multiply the learning rate with FACTOR after N epochs in which --monitor did not get better"},
    {"--log", "FILE", set_text, AT(log), TRAIN, "a csv file with a line for each epoch"},
    {"--tensorboard", "DIR", set_text, AT(tensorboard), TRAIN, "events for TensorBoard"},
    {"--plot", "FILE", set_text, AT(plot), TRAIN, "an SVG picture of the loss, drawn anew after each epoch"},
    {"--threads", "N", set_count, AT(opt.threads), COMPILE | VERIFY | RUN | BENCH | TRAIN,
     "C that at most N threads divide (docs/contract.md), where the network is large enough; the bits are those of "
     "one. bench: also the time of one"},
    {"--train", NULL, set_true, AT(opt.train), COMPILE | SUMMARY,
     "generate training functions as well: init, train_batch, eval_batch, …"},
    {"--normalise", NULL, set_true, AT(opt.normalise), COMPILE | TRAIN,
     "the network does to its inputs what the data line says, scale, mean and std: it takes numbers as the data has "
     "them. "
     "train: the one that -o writes"},
    {"--distributed", "mpi", set_word, AT(opt.distributed), COMPILE | TRAIN,
     "as one of the processes that mpirun started: each has a part of every batch, N processes with batches of B are "
     "one "
     "with N * B. Of --train: the C draws random numbers by the field `first` (docs/contract.md)",
     .with = WITH_TRAIN},
    {"--keep-dropout", NULL, set_true, AT(opt.keep_dropout), GENERATING | TRAINING,
     "dropout drops in inference, too, by other random numbers in each call: NET_step carries them on in its state; "
     "with --train in a function of its own, NET_sample"},
    {"--optimizer", "NAME", set_optimizer, 0, TRAINING,
     "the optimizer (see --list-optimizers); default: from the train line, else Adam", .with = WITH_TRAIN},
    {"--lr", "X", set_lr, 0, TRAINING, "the learning rate", .with = WITH_TRAIN},
    {"--flavor", "torch|keras", set_flavor, 0, TRAINING,
     "whose formulas and defaults optimizers and batch normalisation follow; default: the train line's, else PyTorch's",
     .with = WITH_TRAIN},
    {"--schedule", "TEXT", set_schedule, 0, TRAINING,
     "the learning rate by steps (see --list-rates), such as cosine(steps = 1000, warmup = 50)", .with = WITH_TRAIN},
    {"--set", "NAME=X", push_pair, AT(opt.hyper), TRAINING,
     "another word of the train line: a setting of the optimizer, such as momentum=0.9, clip_norm=1, ema=0.999",
     .with = WITH_TRAIN},
    {"--entry", "NAME", set_text, AT(entry), COMPILE, "with --emit=nn: the function to print, such as train_batch",
     .with = WITH_TRAIN},
    {"--freeze", "PATTERN", push_text, AT(opt.freeze), TRAINING | GRADCHECK,
     "do not train parameters with these names (* and ? match); may be given several times", .with = WITH_TRAIN},
    {"--trainable", "PATTERN", push_text, AT(opt.trainable), TRAINING | GRADCHECK,
     "train constants with these names, too. By default are trained: param of .nn text; of an ONNX file weights, "
     "biases and tables in the inputs that operators have for them, and initializers of more than one number that are "
     "added to, multiplied with or joined with data beside a parameter. Not trained: Constant nodes, masks, and "
     "preprocessing of the input. summary --train lists them",
     .with = WITH_TRAIN},
    {"--samples", "N", set_count, AT(samples), GRADCHECK,
     "gradcheck: number of elements of each tensor that are varied (16)"},

    {NULL, NULL, NULL, 0, 0, "Running, verifying and timing"},
    {"--input", "NAME=FILE", push_pair, AT(inputs), RUN,
     "contents of an input: .pb, .npy, .pgm, .ppm, other endings: raw; without it random"},
    {"--output", "NAME=FILE", push_pair, AT(outputs), RUN | PREDICT,
     "file for an output, in the same formats; without it outputs are printed. predict: .npy or .csv, all examples"},
    {"--rtol", "X", set_number, AT(tol.rtol), VERIFY,
     "allowed error relative to each expected value (1e-3; without data, four units of f16 or bf16)"},
    {"--atol", "X", set_number, AT(tol.atol), VERIFY, "allowed absolute error (1e-5 of the largest expected value)"},
    {"--cc", "COMMAND", set_text, AT(run.cc), BUILDING, "the C compiler, with its options ($CC, else cc)"},
    {"--keep", "DIR", set_text, AT(keep), BUILDING, "leave the generated program in DIR"},
    {"--seconds", "N", set_count, AT(run.seconds), BUILDING, "time limit of each program that is run (600)"},
    {"--runs", "N", set_count, AT(run.runs), BENCH,
     "bench: number of runs (default: what fits into a second, at least 5)"},
    {"--json", NULL, set_true, AT(json), BENCH, "bench: print JSON, whose fields the manual lists"},
    {"--interpret", NULL, set_true, AT(run.interpret), VERIFY | RUN, "interpret the loop nests instead of compiling C"},

    {NULL, NULL, NULL, 0, 0, "Information"},
    {"--help", NULL, set_request, 0, ALL, "this page", .request = verb_help},
    {"--version", NULL, set_request, 0, ALL, "the version", .request = print_version},
    {"--list-ops", "[=md]", set_request, 0, ALL, "the operators, as text or Markdown", .request = print_ops},
    {"--list-layers", NULL, set_request, 0, ALL, "the layers of .nn text, their attributes, and the activations",
     .request = print_layers},
    {"--list-initialisers", NULL, set_request, 0, ALL, "the initial values that a parameter of .nn text can have",
     .request = print_initialisers},
    {"--list-losses", NULL, set_request, 0, ALL, "the losses", .request = print_losses},
    {"--list-metrics", NULL, set_request, 0, ALL, "what nncc train can tell besides the loss",
     .request = print_metrics},
    {"--list-optimizers", NULL, set_request, 0, ALL, "the optimizers, their settings and defaults",
     .request = print_optimizers},
    {"--list-rates", NULL, set_request, 0, ALL, "schedules of learning rates, and their settings",
     .request = print_rates},
    {"--list-targets", NULL, set_request, 0, ALL, "the targets that code is generated for", .request = print_targets},
    {"--list-passes", NULL, set_request, 0, ALL, "the passes over the graph, in the order they run",
     .request = print_passes},
    {"--list-rules", NULL, set_request, 0, ALL, "the rewrite rules of the pass simplify", .request = print_rules},
    {"--list-schedules", NULL, set_request, 0, ALL, "the schedules of loop nests for --target, in the order they run",
     .request = print_schedules},
    {"--list-behaviour", "[=md]", set_request, 0, ALL,
     "where runtimes give different results for valid models, and what nncc does, as text or Markdown",
     .request = print_behaviours},
    {"--check-ops", NULL, set_request, 0, ALL, "check the operator table", .request = print_faults},

    {"--prefer", "ram|flash|speed", check_word, .later = true},
    {"--math", "f32|tf32|bf16|f16", check_word, .later = true},
    {"--kernels", "source|ptx|cubin|fatbin", check_word, .later = true},
    {"--stream", NULL, check_nothing, .later = true},
    {.name = NULL},
};
