#!/bin/sh
# What systemctl, reboot, poweroff, shutdown and sudo are inside a host of the fleet; told apart by the name it is called by.
# @WORDS@ is the pipe to the host's first process. Units are files in /run/units that hold their InvocationID.
called=$(basename "$0")
if [ "$called" = sudo ]; then
    while [ $# -gt 0 ]; do
        case "$1" in
            --) shift; break ;;
            -u | -p) shift 2 ;;
            -*) shift ;;
            *) break ;;
        esac
    done
    echo "sudo $*" | head -c 2000 >@WORDS@
    exec "$@"
fi
if [ "$called" = shutdown ]; then
    case " $* " in *" -r "*) called=reboot ;; *) called=poweroff ;; esac
fi
[ "$called" = systemctl ] || set -- "$called"

verb="" units="" properties="" value="" quiet=""
while [ $# -gt 0 ]; do
    case "$1" in
        -p | --property) properties="$properties,$2"; shift ;;
        --property=*) properties="$properties,${1#--property=}" ;;
        -p*) properties="$properties,${1#-p}" ;;
        --value) value=1 ;;
        -q | --quiet) quiet=1 ;;
        -*) ;;
        *)
            if [ -z "$verb" ]; then
                verb=$1
            else
                case "$1" in *.*) units="$units $1" ;; *) units="$units $1.service" ;; esac
            fi
            ;;
    esac
    shift
done

property() { # of unit $1, named $2
    active=inactive sub=dead
    [ -s "/run/units/$1" ] && active=active sub=running
    case "$2" in
        InvocationID) cat "/run/units/$1" 2>/dev/null || echo ;;
        ActiveState) echo $active ;;
        SubState) echo $sub ;;
        LoadState) [ -e "/run/units/$1" ] && echo loaded || echo not-found ;;
        Id) echo "$1" ;;
        *) echo ;;
    esac
}

case "$verb" in
    reboot | poweroff) echo "$verb" >@WORDS@ ;;
    show)
        first=1
        for unit in $units; do
            [ -n "$first" ] || echo
            first=""
            for name in $(echo "$properties" | tr , ' '); do
                [ -n "$value" ] || printf '%s=' "$name"
                property "$unit" "$name"
            done
        done
        ;;
    is-active)
        status=3
        for unit in $units; do
            state=$(property "$unit" ActiveState)
            [ -n "$quiet" ] || echo "$state"
            [ "$state" = active ] && status=0
        done
        exit $status
        ;;
    restart | try-restart)
        for unit in $units; do
            before=$(property "$unit" InvocationID)
            [ -n "$before" ] || { echo "Failed to restart $unit: Unit $unit not found." >&2; exit 5; }
            echo "restart $unit" >@WORDS@
            while [ "$(property "$unit" InvocationID)" = "$before" ]; do sleep 0.05; done
        done
        ;;
    *) echo "this fleet's systemctl does not know: $verb" >&2; exit 1 ;;
esac
