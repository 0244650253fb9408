# install.sh - sourced: installs the Debian packages that are missing, if any. Expects `install` to be yes or no.
packages='build-essential cmake ninja-build clang-14 libclang-rt-14-dev llvm-14-tools libprotobuf-c-dev zlib1g-dev protobuf-c-compiler libpng-dev libopenmpi-dev openmpi-bin python3 python3-onnx libonnx-testdata'
missing=
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ] && [ "$install" = yes ]; then
    echo "installing$missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
        { echo "could not install$missing"; exit 1; }
elif [ -n "$missing" ]; then
    echo "not installed, and perhaps missed:$missing"
fi
