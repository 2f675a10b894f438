/**
 * A script of the game server, as one would write it in Squirrel: it greets who connects, answers what they say, and tells
 * everybody the time of the day.
 */

import type { Request } from '../../src/server/index.ts';
import type { G2o } from './module.ts';

export default function script({
  addEventHandler,
  websocket_send,
  websocket_sendBinary,
  websocket_sendtoall,
  websocket_close,
}: G2o): void {
  addEventHandler('onWebsocketConnect', (client: string, { path }: Request) => {
    websocket_send(client, `Hello! You are ${client}, and came for ${path}`);
  });

  addEventHandler('onWebsocketMessage', (client: string, message: string | Uint8Array) => {
    if (typeof message !== 'string') websocket_sendBinary(client, message);
    else if (message === 'quit') void websocket_close(client, 'as you wish');
    else websocket_sendtoall(`${client} says ${message}`);
  });

  addEventHandler('onWebsocketClose', (client: string) => {
    websocket_sendtoall(`${client} left`);
  });

  addEventHandler('onTime', (day: number, hour: number, min: number) => {
    websocket_sendtoall(`Current time: ${day} / ${hour}:${String(min).padStart(2, '0')}`);
  });
}
