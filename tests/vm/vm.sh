# Functions that boot the virtual machine and talk to it; sourced by run.sh.
# shellcheck shell=bash

# What the host is called on both sides (see init).
HOST_ADDRESS=127.0.0.2
export HOST_ADDRESS

say() { printf '%s\n' "vm-test: $*" >&2; }

# vm_machine ARCH: the emulator and machine of an architecture.
vm_machine() {
    case $1 in
    amd64) echo "qemu-system-x86_64 -machine pc" ;;
    *)
        say "no virtual machine is known for the architecture '$1' (amd64 is)"
        return 1
        ;;
    esac
}

# The kernel finds an emulated time stamp counter unstable, and would leave the
# processor for every look at the clock, which takes half of its time.
VM_KERNEL="quiet panic=-1 tsc=reliable clocksource=tsc mitigations=off"

# vm_launch WORK IMAGE ACCELERATION...: starts QEMU; its console comes in at
# descriptor 8 and answers go out at descriptor 9.
vm_launch() {
    local work=$1 image=$2 machine
    shift 2
    machine=$(vm_machine "$(dpkg --print-architecture)")
    VM_NONCE=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
    rm -f "$work/out" "$work/in"
    mkfifo "$work/out" "$work/in"
    # shellcheck disable=SC2086 # the machine is several words
    $machine "$@" -smp 2 -m 1024 -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$image/vmlinuz" -initrd "$image/initrd" \
        -append "$VM_KERNEL vm_nonce=$VM_NONCE" \
        -drive "file=$image/root.ext4,if=none,id=root,format=raw,snapshot=on" \
        -device virtio-blk-pci,drive=root \
        -drive "file=$work/test.ext4,if=none,id=test,format=raw,readonly=on" \
        -device virtio-blk-pci,drive=test \
        -netdev user,id=net -device virtio-net-pci,netdev=net,romfile= \
        -device virtio-serial-pci -chardev stdio,id=console,signal=off \
        -device virtconsole,chardev=console \
        -serial "file:$work/kernel.log" \
        <"$work/in" >"$work/out" 2>"$work/qemu.log" &
    VM_PID=$!
    # Opened in the order in which QEMU's shell opens them: in, then out.
    exec 9>"$work/in" 8<"$work/out"
}

# vm_next SECONDS: reads the console up to the virtual machine's next message
# and leaves it in VM_MESSAGE; everything else is shown and kept.
# Fails at the deadline (1) and when the machine ends (2).
vm_next() {
    local deadline=$((SECONDS + $1)) line status
    while [ "$SECONDS" -lt "$deadline" ]; do
        if IFS= read -r -u 8 -t $((deadline - SECONDS)) line; then
            line=${line%$'\r'}
            printf '%s\n' "$line" >>"$VM_LOG"
            case $line in
            *"@vm $VM_NONCE "*)
                # shellcheck disable=SC2034 # for the caller
                VM_MESSAGE=${line##*"@vm $VM_NONCE "}
                return 0
                ;;
            *) printf '  | %s\n' "$line" ;;
            esac
        else
            status=$?
            [ "$status" -gt 128 ] || return 2
        fi
    done
    return 1
}

vm_answer() { printf '%s\n' "$1" >&9; }

vm_stop() {
    if [ -n "${VM_PID:-}" ]; then
        kill "$VM_PID" 2>/dev/null || true
        wait "$VM_PID" 2>/dev/null || true
        VM_PID=
        exec 8<&- 9>&-
    fi
}

# vm_boot WORK IMAGE: starts the machine and waits until its init has spoken.
# KVM counts as usable only when it really boots: in some nested machines it
# opens and then crawls. VM_ACCEL=kvm or tcg takes the choice away.
vm_boot() {
    local work=$1 image=$2 accel=${VM_ACCEL:-auto} booted=$SECONDS
    VM_LOG=$work/console.log
    : >"$VM_LOG"
    if [ "$accel" = kvm ] || { [ "$accel" = auto ] && [ -w /dev/kvm ]; }; then
        vm_launch "$work" "$image" -accel kvm -cpu host
        if vm_next 20; then
            say "booted with KVM in $((SECONDS - booted)) s"
            return 0
        fi
        vm_stop
        [ "$accel" = auto ] || return 1
        say "KVM does not boot here: emulating the processor instead"
        booted=$SECONDS
    fi
    vm_launch "$work" "$image" -accel tcg,thread=multi -cpu max
    if ! vm_next 120; then
        say "the virtual machine did not boot within 120 s"
        return 1
    fi
    say "booted without KVM in $((SECONDS - booted)) s"
}

# free_port: a TCP port on which nothing listens at HOST_ADDRESS.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/$HOST_ADDRESS/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}
