/**
 * node:http, but not by `import`: that reads each of its exports, and one of them, WebSocket, loads an HTTP client that nobody here uses, for 20 ms of a processor and
 * 10 MB in every process.
 */
export const http: typeof import('node:http') = process.getBuiltinModule('node:http');
