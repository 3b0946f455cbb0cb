# What differs between the packages, once cpack knows which one it makes.
list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
list(GET CPACK_INSTALL_CMAKE_PROJECTS 1 project)
set(CPACK_INSTALL_CMAKE_PROJECTS "${build};${project};Unspecified;/")
if(CPACK_GENERATOR STREQUAL "TGZ")
  # Debian brings the libraries itself; a cluster node may not.
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS "${build}" "${project}" libraries /)
endif()
