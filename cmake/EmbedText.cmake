# cmake -DIN=FILE -DOUT=FILE.cpp -DHEADER=H -DNAMESPACE=N -DFUNCTION=NAME -P EmbedText.cmake: a function of a namespace
# that returns the text of a file.
file(READ "${IN}" text)
file(WRITE "${OUT}" "#include \"${HEADER}\"\n\nnamespace ${NAMESPACE} {\n\nstd::string_view ${FUNCTION}() {\n"
  "  return R\"xkde_text(${text})xkde_text\";\n}\n\n}  // namespace ${NAMESPACE}\n")
