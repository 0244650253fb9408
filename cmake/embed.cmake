# Writes OUT, a C file with one `const char embedded_<name>[]` for each of FILES (dots and dashes become underscores).
# A string literal may hold 4,095 bytes (C11 5.2.4.1), so the text is written as an array of bytes.
set(text "/* Made by cmake/embed.cmake. */\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  string(REGEX REPLACE "[^A-Za-z0-9_]" "_" name ${name})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
  string(APPEND text "extern const char embedded_${name}[];\nconst char embedded_${name}[] = {\n${bytes}0};\n")
endforeach()
file(WRITE ${OUT} "${text}")
