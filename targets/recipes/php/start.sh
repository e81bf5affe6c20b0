# PHP reads no environment, so what the plan says becomes a line of its configuration.
if [ -n "$SESSION_REDIS" ]; then
    printf 'session.save_handler=redis\nsession.save_path="%s"\n' "$SESSION_REDIS" > /etc/php/8.2/apache2/conf.d/99-sessions.ini
fi
exec apachectl -D FOREGROUND
