xkde_add_test(recipe_reader_test
  SOURCES
    build_data_keys_test.cpp
    did_you_mean_test.cpp
    overrides_test.cpp
    recipe_docs_test.cpp
    recipe_inputs_test.cpp
    recipe_mistakes_test.cpp
    recipe_test.cpp
    strict_map_test.cpp
    yaml_reader_test.cpp
  LINKS xkde_recipe_reader
  LABELS unit)
xkde_add_test(built_data_test SOURCES built_data_test.cpp LINKS xkde_built_data LABELS unit)
