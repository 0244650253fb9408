# Copies onnx-ml.proto FROM where it is installed TO where it is compiled, and adds the fields that nncc reads and the IR
# version of an older copy does not have yet (Debian 12: version 8). What is left out stays unknown: the scan refuses it.
file(READ "${FROM}" text)

# need(MESSAGE NUMBER "DECLARATION"): a field of a message, unless there is one of that number.
function(need message number declaration)
  string(FIND "${text}" "\nmessage ${message} {" begin)
  if(begin LESS 0)
    message(FATAL_ERROR "${FROM}: there is no message ${message}")
  endif()
  string(SUBSTRING "${text}" ${begin} -1 body)
  string(FIND "${body}" "\n}" length)
  string(SUBSTRING "${body}" 0 ${length} body)
  if(NOT body MATCHES "[a-z_] = ${number};")
    string(REPLACE "\nmessage ${message} {" "\nmessage ${message} {\n  ${declaration} = ${number};" text "${text}")
    set(text "${text}" PARENT_SCOPE)
  endif()
endfunction()

need(NodeProto 8 "optional string overload") # IR version 10
need(FunctionProto 11 "repeated AttributeProto attribute_proto") # 9
need(FunctionProto 13 "optional string overload") # 10
file(WRITE "${TO}" "${text}")
