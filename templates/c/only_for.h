#if !defined $(macro)
#error "made for $(target): compile with $(flags), or -march=native where that has it"
#endif
