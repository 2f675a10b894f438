// sansocket's client.

import { connect } from 'sansocket/client';
import { settings } from '../servers/control.mjs';
import { drive } from './drive.mjs';

drive(async (url, onMessage) => {
  const socket = await connect(url, { ...settings.options, on: { message: onMessage } });
  return { send: (message) => socket.send(message), unsent: () => socket.bufferedAmount };
});
