/**
 * `wget` of the box. Busybox builds differ in whether they know a time limit: Debian 12's crashes on `-T` and refuses `--timeout`. So
 * it is kept from outside, over the whole download rather than over each pause in it. `--tries` is taken and means nothing: there
 * is one.
 */
export const wgetScript = `#!/bin/sh
limit=
left=$#
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $word in
  -T | --timeout | -t | --tries)
    case $word in -T | --timeout) limit=$1 ;; esac
    [ "$left" -eq 0 ] || { shift; left=$((left - 1)); }
    ;;
  -T*) limit=\${word#-T} ;;
  --timeout=*) limit=\${word#*=} ;;
  -[cqS]T | -[cqS][cqS]T)
    limit=$1
    [ "$left" -eq 0 ] || { shift; left=$((left - 1)); }
    set -- "$@" "\${word%T}"
    ;;
  -[cqS]T* | -[cqS][cqS]T*)
    limit=\${word#*T}
    set -- "$@" "\${word%%T*}"
    ;;
  -t[0-9]* | --tries=*) ;;
  *) set -- "$@" "$word" ;;
  esac
done
case $limit in
'' | 0) exec busybox wget "$@" ;;
*[!0-9]*) echo "wget: invalid number '$limit'" >&2; exit 1 ;;
esac
busybox timeout "$limit" busybox wget "$@"
code=$?
case $code in
124 | 143) echo 'wget: download timed out' >&2; exit 1 ;;
esac
exit $code
`;
