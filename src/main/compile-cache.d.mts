/** Types of compile-cache.mjs. */
import type { Stats } from 'node:fs';

export declare function cacheFolder(uid: number, home: string): string;
export declare function isSafe(stat: Pick<Stats, 'uid' | 'mode'>, isDirectory: boolean, user: number): boolean;
export declare function prepareFolder(path: string, user: number): boolean;
export declare function useCompileCache(): void;
