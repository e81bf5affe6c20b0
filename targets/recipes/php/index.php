<?php
// A login and a note, both in PHP's own session. php.ini says where sessions live: files (the default) or redis.
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/healthz') {
    exit('ok');
}
session_start();
$put = $_SERVER['REQUEST_METHOD'] !== 'GET';

if ($path === '/login' && $put) {
    if (($_POST['password'] ?? '') !== 'pw') {
        http_response_code(403);
        exit('wrong password');
    }
    session_regenerate_id(true);
    $_SESSION['user'] = $_POST['user'];
    // The answer must not leave before the session is kept.
    session_write_close();
    header('Location: /me', true, 303);
} elseif ($path === '/login') {
    echo '<form method="post"><input name="user"><input name="password" type="password"></form>';
} elseif (!isset($_SESSION['user'])) {
    header('Location: /login', true, 302);
} elseif ($path === '/me') {
    header('Content-Type: application/json');
    echo json_encode(['user' => $_SESSION['user']]);
} elseif ($path === '/note' && $put) {
    $_SESSION['note'] = json_decode(file_get_contents('php://input'), true)['text'];
    session_write_close();
    http_response_code(204);
} elseif ($path === '/note') {
    header('Content-Type: application/json');
    echo json_encode(['text' => $_SESSION['note'] ?? null]);
} else {
    http_response_code(404);
}
