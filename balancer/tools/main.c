#include "balancer/tools/tool.h"

int main(int argc, char **argv)
{
    return ek_tool_main(argc, argv);
}
