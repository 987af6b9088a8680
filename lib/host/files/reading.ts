/**
 * Sends the facts of a file and then its content, from one open file, so that both are of the same one. Arguments: the
 * path, and how many bytes are wanted at most; an empty limit means as many as its size says. Whether it changed while
 * it was read is told at the end on standard error.
 */
export const READ = `
path=$1 limit=$2
home
look "$path" -L
((\${#facts[@]} > 0)) || failed missing
case \${facts[0]} in directory) failed is_directory ;; 'regular '*) ;; *) failed not_regular ;; esac
{ exec 4<"$path"; } || broke open
look /dev/fd/4 -L
before=\${facts[1]}/\${facts[7]}
printf '%s\\0' ok "\${facts[@]}"
if [ -z "$limit" ]; then limit=\${facts[1]}; elif ((\${facts[1]} > limit)); then exit 0; else ((limit += 1)); fi
head -c "$limit" <&4 || exit 1
look /dev/fd/4 -L
[ "$before" = "\${facts[1]}/\${facts[7]}" ] || echo 'selfhost: changing' >&2
`;

/** How many fields come before the content. */
export const READ_FIELDS = 9;

export function toldOfChange(stderr: string): boolean {
  return stderr.includes('selfhost: changing');
}
