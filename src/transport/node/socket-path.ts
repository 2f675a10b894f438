/** What the path of a UNIX socket may be. Node cuts what does not fit, and goes on with whatever has that name. */

/** In bytes. Linux has room for 108 with the final NUL, macOS and the BSDs for 104; a pipe of Windows is no such path. */
export const LONGEST_SOCKET_PATH: number = longestOn(process.platform);

/** What is wrong with a path, to stand behind its name; null: nothing. */
export function socketPathFault(path: string): string | null {
  // One that begins with it is a name without a file.
  if (path.indexOf('\0') > 0) return 'has a NUL in it';
  return Buffer.byteLength(path) > LONGEST_SOCKET_PATH ? `has more than ${LONGEST_SOCKET_PATH} bytes` : null;
}

/** The same for any system. @internal */
export function longestOn(platform: NodeJS.Platform): number {
  if (platform === 'win32') return Number.POSITIVE_INFINITY;
  return platform === 'linux' || platform === 'android' || platform === 'sunos' ? 107 : 103;
}
