xkde_add_test(planner_test TORCH SOURCES memory_model_test.cpp planner_test.cpp step_model_test.cpp
  LINKS xkde_planner LABELS unit)
