# Reads recipes; knows no tensors, so that `validate` starts in milliseconds.
xkde_add_library(xkde_recipe_reader
  SOURCES
    stages/build_data_keys.cpp
    stages/did_you_mean.cpp
    stages/edit_selection.cpp
    stages/evaluate_keys.cpp
    stages/overrides.cpp
    stages/preference_stages.cpp
    stages/recipe.cpp
    stages/recipe_errors.cpp
    stages/recipe_inputs.cpp
    stages/recipe_stages.cpp
    stages/strict_map.cpp
    stages/train_keys.cpp
    stages/yaml_reader.cpp
    stages/yaml_reader_text.cpp
  LINKS xkde_data xkde_base xkde_yaml)
# g++ 12 warns of its own std::string there (GCC bug 105651).
set_source_files_properties(stages/yaml_reader.cpp PROPERTIES COMPILE_OPTIONS -Wno-restrict)

# What an evaluation asks; no tensors.
xkde_add_library(xkde_eval_questions
  SOURCES stages/eval_inputs.cpp stages/eval_questionnaire.cpp
  LINKS xkde_recipe_reader xkde_edit)

# Makes training sets; knows no tensors either.
xkde_add_library(xkde_built_data SOURCES stages/built_data.cpp LINKS xkde_recipe_reader xkde_edit)
