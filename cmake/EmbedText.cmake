# cmake -DIN=FILE -DOUT=FILE.cpp -DHEADER=H -DFUNCTION=NAME -P EmbedText.cmake: a function of namespace xkde::recipe that
# returns the text of a file.
file(READ "${IN}" text)
file(WRITE "${OUT}" "#include \"${HEADER}\"\n\nnamespace xkde::recipe {\n\nstd::string_view ${FUNCTION}() {\n"
  "  return R\"xkde_text(${text})xkde_text\";\n}\n\n}  // namespace xkde::recipe\n")
