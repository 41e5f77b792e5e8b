/** Busybox's wget by another name: as long as its own, and at the same place in the order of names. */
const hidden = 'wgeT';

/**
 * A shell of Debian's busybox runs what it can be itself before it looks along PATH (FEATURE_SH_STANDALONE), and would pass the script by.
 * In this copy its wget has another name. `applet` is that name, or `wget` in a copy whose table of names is not found.
 */
export function hideWget(busybox: Uint8Array): { readonly busybox: Uint8Array; readonly applet: string } {
  const bytes = Buffer.from(busybox);
  const at = bytes.indexOf('\0wget\0');
  if (at === -1 || bytes.indexOf('\0wget\0', at + 1) !== -1) return { busybox, applet: 'wget' };
  bytes.write(hidden, at + 1, 'latin1');
  return { busybox: bytes, applet: hidden };
}

/**
 * `wget` of the box. Busybox builds differ in whether they know a time limit: Debian 12's crashes on `-T` and refuses `--timeout`. So
 * it is kept from outside, over the whole download rather than over each pause in it. `--tries` is taken and means nothing: there
 * is one.
 */
export function wgetScript(applet: string): string {
  return `#!/bin/sh
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
'' | 0) exec busybox ${applet} "$@" ;;
*[!0-9]*) echo "wget: invalid number '$limit'" >&2; exit 1 ;;
esac
busybox timeout "$limit" busybox ${applet} "$@"
code=$?
case $code in
124 | 143) echo 'wget: download timed out' >&2; exit 1 ;;
esac
exit $code
`;
}
