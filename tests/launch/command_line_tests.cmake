xkde_add_test(command_line_test
  SOURCES command_line_test.cpp
  LINKS xkde_command_line
  LABELS unit)
