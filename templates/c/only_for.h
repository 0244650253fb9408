/* This file is for $(target). With gcc's -std=c11 add -ffp-contract=fast: otherwise each multiply-add is two instructions. */
#if !defined $(macro)
#error "made for $(target): compile with $(flags), or -march=native where that has it"
#endif
