xkde_add_test(model_config_test SOURCES model_config_test.cpp LINKS xkde_pretrained LABELS unit)
xkde_add_test(weights_test SOURCES weights_test.cpp LINKS xkde_pretrained LABELS unit)
