xkde_add_library(xkde_command_line
  SOURCES command_line.cpp
  LINKS xkde_recipe_reader xkde_base)
target_link_libraries(xkde_command_line PRIVATE CLI11::CLI11)
target_compile_definitions(xkde_command_line PRIVATE XKDE_VERSION="${PROJECT_VERSION}")
